/** An image for a model's encoder, or a map that it is told: chosen or dropped, and converted to what is taken. */

import { byId, say } from "./dom.js";
import { showError } from "./field-errors.js";
import { conversions, convert, showKept, toPng } from "./preview.js";

/** By the member of a condition: the shape that is taken, and what the picture on the page is called. */
const TAKEN = {
  image: { shapeOf: (model) => model.image, seen: "as the model's encoder sees it" },
  map: { shapeOf: (model) => model.conditioning, seen: "as the model is told it" },
};

/** `id`: of the box; its parts are `id`-file, `id`-facts and `id`-canvas. Calls `changed` when there is another image. */
export function createConditionImage(id, member, changed) {
  const { shapeOf, seen } = TAKEN[member];
  const box = byId(id);
  const ask = byId(`${id}-facts`).textContent;
  let bitmap = null;
  let name = "";
  let model = null;

  async function take(file) {
    name = file.name;
    bitmap = await createImageBitmap(file).catch(() => null);
    update();
    changed();
    if (bitmap === null) showError({ param: "condition", message: `${name} is not an image that this browser can read.` });
  }

  function update() {
    const isShown = bitmap !== null && model !== null;
    byId(`${id}-frame`).hidden = !isShown;
    if (!isShown) return say(byId(`${id}-facts`), ask);
    const done = conversions(bitmap, shapeOf(model), false);
    showKept(byId(`${id}-canvas`), convert(bitmap, shapeOf(model), false));
    byId(`${id}-canvas`).setAttribute("aria-label", `${name} ${seen}`);
    say(byId(`${id}-facts`), done.length > 0 ? `${name}; ${done.join(", ")} for the model` : name);
  }

  function setModel(chosen) {
    if (chosen === model) return;
    model = chosen;
    update();
  }

  /** The condition {image or map: data URL}; null while no image is chosen. */
  async function toSend() {
    if (bitmap === null || model === null) return null;
    return { [member]: await dataUrl(await toPng(convert(bitmap, shapeOf(model), false), "condition.png")) };
  }

  function clear() {
    bitmap = null;
    byId(`${id}-file`).value = "";
    update();
    changed();
  }

  listen(box, byId(`${id}-file`), take);
  return { setModel, toSend, clear, get isChosen() { return bitmap !== null; } };
}

function listen(box, input, take) {
  const takeFirst = (files) => files.length > 0 && take(files[0]);
  input.addEventListener("change", (event) => takeFirst(event.target.files));
  box.addEventListener("dragover", (event) => {
    event.preventDefault();
    box.classList.add("over");
  });
  box.addEventListener("dragleave", () => box.classList.remove("over"));
  box.addEventListener("drop", (event) => {
    event.preventDefault();
    box.classList.remove("over");
    takeFirst(event.dataTransfer.files);
  });
}

function dataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => resolve(reader.result));
    reader.addEventListener("error", () => reject(reader.error));
    reader.readAsDataURL(file);
  });
}
