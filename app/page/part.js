/** What of an image is drawn anew: all rows below some, or a hole, swept or not. Shows in the preview what is kept. */

import { byId } from "./dom.js";
import { createHole, endsImage } from "./hole.js";
import { showKept } from "./preview.js";

const choice = () => document.querySelector("input[name=part]:checked").value;

/** Calls `moved()` while a hole is dragged over the preview and `changed()` when it has been. */
export function createPart({ moved, changed }) {
  const hole = createHole({ moved, changed });
  let mode = "draw";
  let canSweep = false;

  const isHole = () => mode === "complete" && choice() === "hole";
  const isSwept = () => isHole() && canSweep && Number(byId("sweeps").value) > 0;

  /** `preview`: the image as the model will see it, ImageData, or null. */
  function show(model, newMode, preview) {
    mode = newMode;
    const size = preview ?? (model?.image.height ? model.image : null);
    if (size !== null) {
      byId("rows").max = size.height - 1;
      hole.setSize(size);
    }
    byId("rows-shown").textContent = `${byId("rows").value} of ${Number(byId("rows").max) + 1}`;
    const ends = size !== null && endsImage(hole.rectangle(), size);
    // The chain of a model that knows only a bound on log p would have another limit than its posterior.
    canSweep = !ends && model?.likelihood?.kind !== "bound";
    byId("rows-part").hidden = isHole();
    byId("hole-part").hidden = !isHole();
    byId("sweeps-part").hidden = !canSweep;
    byId("sweeps-needless").hidden = !ends;
    byId("drop").classList.toggle("holed", isHole());
    byId("input-frame").hidden = preview === null;
    if (preview !== null) showPreview(preview);
  }

  function showPreview(preview) {
    const { height } = preview;
    const kept = mode === "complete" ? Number(byId("rows").value) : height;
    const all = { left: 0, top: kept, columns: preview.width, rows: height - kept };
    showKept(byId("input"), preview, isHole() ? hole.rectangle() : all);
    const what = isHole() ? "all but a hole" : `its top ${kept} of ${height} rows`;
    byId("input").setAttribute("aria-label", `The image as the model sees it, ${what}`);
  }

  /** As a link has them; "" for what is left out. */
  function values() {
    if (!isHole()) return { rows: byId("rows").value, hole: "", sweeps: "" };
    return { rows: "", hole: hole.text, sweeps: canSweep ? byId("sweeps").value.trim() : "" };
  }

  function apply(given) {
    if (given.rows !== undefined) byId("rows").value = given.rows;
    if (given.sweeps !== undefined) byId("sweeps").value = given.sweeps;
    if (given.hole !== undefined) hole.place(given.hole);
    const isOfHole = given.hole !== undefined || (given.rows === undefined && given.sweeps !== undefined);
    const chosen = isOfHole ? "hole" : given.rows !== undefined ? "rows" : choice();
    byId(`part-${chosen}`).checked = true;
  }

  const focus = () => byId(choice() === "hole" ? "hole-left" : "rows").focus();

  return {
    show, values, apply, focus,
    get isSwept() { return isSwept(); },
    /** The rectangle to leave out of what is sent, or null. */
    get hole() { return isHole() ? hole.rectangle() : null; },
  };
}
