/** The request form: its values, what is shown in which mode, and its link in the URL's hash. */

import { byId, say } from "./dom.js";
import { about, classNames, isDensity, showCards, showChosen, suggested } from "./cards.js";
import { EACH, chosenClass } from "./chips.js";
import { createCondition } from "./condition.js";
import { clearError, clearErrors, showErrors } from "./field-errors.js";
import { createImageInput } from "./image-input.js";
import { moreValues, setMore, showMore } from "./more.js";
import { createPart } from "./part.js";
import { chosenTags } from "./tags.js";

const BUTTONS = { draw: "Draw", complete: "Complete", score: "Score" };
const PLAIN = ["n", "seed", "temperature", "width", "height"];

/** `changed()` is called after an edit, `submitted(values, file)` when the form is complete. */
export function createForm({ changed, submitted }) {
  const form = byId("request");
  const image = createImageInput(() => refreshPart());
  const condition = createCondition(() => {
    clearError("condition");
    refresh();
  });
  const part = createPart({
    moved: () => {
      clearPart();
      refreshPart();
    },
    changed: () => changed(),
  });
  let models = [];
  let sending = false;
  const wanted = { scored: EACH };

  const model = () => models.find((candidate) => candidate.id === chosenModel());
  const mode = () => form.elements.mode.value;
  const takesAnySize = () => model() !== undefined && model().image.height === null;
  // A class to draw and a class to score under are two wishes; each comes back with its mode.
  const classKey = () => (mode() === "score" ? "scored" : "drawn");

  function values() {
    const plain = Object.fromEntries(PLAIN.map((name) => [name, form.elements[name].value.trim()]));
    if (!takesAnySize()) plain.width = plain.height = "";
    const density = isDensity(model());
    if (density || part.isSwept) plain.temperature = "1";
    const told = { class: chosenClass(), tags: chosenTags().join(",") };
    const perPixel = byId("per-pixel").checked;
    return { mode: mode(), model: chosenModel(), ...told, ...plain, ...part.values(), ...moreValues(), density, perPixel };
  }

  /** Takes values as a link gives them; what a link leaves out stays as it is. */
  function apply(given) {
    if (given.mode in BUTTONS) form.elements.mode.value = given.mode;
    if (given.model !== undefined) wanted.model = given.model;
    if (given.class !== undefined) wanted[classKey()] = given.class;
    if (given.tags !== undefined) wanted.tags = given.tags.split(",");
    for (const name of PLAIN) if (given[name] !== undefined) form.elements[name].value = given[name];
    part.apply(given);
    setMore(given);
    if (form.elements.seed.value === "") newSeed();
    setModels(models);
  }

  function setModels(published) {
    models = published;
    const usable = models.filter((candidate) => candidate.status === "admitted");
    const wish = wanted.model ?? chosenModel();
    showCards(byId("models"), models, usable.some(({ id }) => id === wish) ? wish : suggested(usable)?.id);
    refresh();
  }

  function refresh() {
    for (const node of form.querySelectorAll("[data-modes]")) node.hidden = !node.dataset.modes.includes(mode());
    byId("submit").textContent = BUTTONS[mode()];
    byId("temperature-shown").textContent = Number(form.elements.temperature.value).toFixed(2);
    byId("size").hidden = mode() !== "draw" || !takesAnySize();
    say(byId("about"), about(model()));
    byId("about-fold").hidden = byId("about").hidden;
    image.setModel(model() ?? null);
    condition.show(model(), mode(), { class: wanted[classKey()], tags: wanted.tags });
    refreshPart();
  }

  function refreshPart() {
    part.show(model(), mode(), image.preview);
    byId("temperature-field").hidden = isDensity(model()) || part.isSwept;
    showMore(model(), mode(), part.isSwept);
  }

  function newSeed() {
    // Six digits can be read out to somebody; a seed typed by hand may have twenty.
    form.elements.seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0] % 1_000_000);
  }

  function edited(event) {
    clearErrorsOf(event.target);
    if (event.target.name === "model") {
      wanted.model = event.target.value;
      showChosen(byId("models"));
    }
    if (event.target.name === "class") wanted[classKey()] = event.target.value;
    if (event.target.name === "tag") wanted.tags = chosenTags();
    refresh();
  }

  function className(modelId, index) {
    return classNames(models.find(({ id }) => id === modelId))[index] ?? index;
  }

  async function submit(event) {
    event.preventDefault();
    if (sending) return; // A double click asks once.
    sending = true;
    clearErrors();
    try {
      const [asked, file] = [{ ...values(), told: await condition.toSend() }, await image.toSend(part.hole)];
      const faults = findFaults(asked, file, condition.missing());
      if (faults.length > 0) showErrors(faults);
      else await submitted(asked, file);
    } finally {
      sending = false;
    }
  }

  form.addEventListener("input", edited);
  form.addEventListener("change", changed); // Not at every step of a slider: browsers limit how often a URL changes.
  form.addEventListener("submit", submit);
  byId("new-seed").addEventListener("click", () => {
    clearError("seed");
    newSeed();
    changed();
  });
  return { apply, values, setModels, className, takeImage: image.take, focusPart: part.focus };
}

const chosenModel = () => document.querySelector("input[name=model]:checked")?.value;

/** What an error said was about what stood there before; with another model or mode, everything is another matter. */
function clearErrorsOf(control) {
  if (["model", "mode"].includes(control.name)) return clearErrors();
  const field = control.closest("[data-field]")?.dataset.field;
  if (field === "rows") clearPart();
  else if (field) clearError(field);
}

/** A hole that is too large to be swept is told at the sweeps. */
function clearPart() {
  clearError("rows");
  clearError("sweeps");
}

/** What cannot even be sent, in the form's order; everything else is for the service to judge. */
function findFaults(values, file, missing) {
  const faults = [];
  if (!values.model) faults.push({ param: "model", message: "No model is ready yet." });
  if (values.mode !== "draw" && !file) faults.push({ param: "image", message: "Choose an image first." });
  if (missing) faults.push({ param: "condition", message: missing });
  if (values.mode !== "score" && !/^\d+$/.test(values.seed)) {
    faults.push({ param: "seed", message: "A seed is a whole number, 0 or more." });
  }
  return faults;
}
