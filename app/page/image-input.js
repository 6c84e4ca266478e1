/** The image to complete or to score: chosen, dropped, pasted or taken from the samples, and converted to fit. */

import { byId, say } from "./dom.js";
import { clearError, showError } from "./field-errors.js";
import { conversions, convert, meanLuma, toPng } from "./preview.js";

const CHOOSE = "PNG, JPEG or WebP. Or drop one here, or paste it.";

/** The mean from which on an image counts as mostly light. */
const LIGHT = 0.6;

/** MNIST and its family are white on black; other data may be as light as the image. */
const knowsDark = (model) => (model.training?.data ?? "").includes("MNIST");

/** Calls `changed` when `preview` has changed. */
export function createImageInput(changed) {
  let file = null;
  let bitmap = null;
  let model = null;
  let done = [];
  let preview = null;

  async function take(chosen) {
    try {
      bitmap = await createImageBitmap(chosen);
      file = chosen;
      clearError("image");
      update();
    } catch {
      file = bitmap = null;
      update();
      showError({ param: "image", message: `${chosen.name} is not an image that this browser can read.` });
    }
  }

  function update() {
    const invert = byId("invert").checked;
    done = bitmap && model ? conversions(bitmap, model.image, invert) : [];
    preview = bitmap && model ? convert(bitmap, model.image, invert) : null;
    byId("invert-line").hidden = bitmap === null;
    byId("invert-hint").hidden = invert || preview === null || !knowsDark(model) || meanLuma(preview) <= LIGHT;
    const size = bitmap && `${file.name}, ${bitmap.width} × ${bitmap.height}`;
    say(byId("file-facts"), !bitmap ? CHOOSE : done.length === 0 ? size : `${size}; ${done.join(", ")} for the model`);
    changed();
  }

  /** The file to send: the chosen one if the model takes it as it is, and there is no `hole` to mark in it. */
  async function toSend(hole) {
    if (bitmap === null || (done.length === 0 && hole === null)) return file;
    return toPng(preview, `${file.name.replace(/\.\w+$/, "")}-for-${model.id}.png`, hole);
  }

  function setModel(chosen) {
    if (chosen === model) return;
    model = chosen;
    update();
  }

  byId("invert").addEventListener("change", update);
  listen(take);
  /** `preview`: the image as the model will see it, ImageData, or null. */
  return { get preview() { return preview; }, setModel, take, toSend };
}

function listen(take) {
  const drop = byId("drop");
  const takeFirst = (files) => files.length > 0 && take(files[0]);
  byId("file").addEventListener("change", (event) => takeFirst(event.target.files));
  drop.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    takeFirst(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => {
    if (drop.offsetParent !== null) takeFirst(event.clipboardData.files);
  });
}
