/** The API's refusals, in its words, at the field they are about. */

import { byId, say } from "./dom.js";

const FIELDS = [
  "model", "image", "rows", "sweeps", "condition", "n", "seed", "temperature", "width", "height", "precision", "margin",
  "clip",
];
const SAME_PLACE = { fit: "image", levels: "image", mask: "image", grayscale: "image", interpolate: "condition" };

const controlsOf = (field) => document.querySelectorAll(`[data-field=${field}] :is(input, select, textarea)`);

export function clearErrors() {
  say(byId("error-form"), "");
  FIELDS.forEach(clearError);
}

export function clearError(field) {
  say(byId(`error-${field}`), "");
  for (const control of controlsOf(field)) {
    control.removeAttribute("aria-invalid");
    control.removeAttribute("aria-errormessage");
  }
}

/** Shows an ApiError where it belongs and moves the focus there. */
export const showError = (error) => showErrors([error]);

/** Shows them all, in the order of the form; the focus moves to the first. */
export function showErrors(errors) {
  const [first] = errors.map(place);
  first?.focus();
}

/** Writes an error at its field; the control to begin the repair with. */
function place(error) {
  const name = error.param.split(/[./[]/)[0];
  const field = SAME_PLACE[name] ?? name;
  if (!FIELDS.includes(field)) {
    say(byId("error-form"), error.message);
    return null;
  }
  say(byId(`error-${field}`), error.message);
  const fold = byId(`error-${field}`).closest("details");
  if (fold !== null) fold.open = true;
  const controls = [...controlsOf(field)].filter((control) => control.closest("[hidden]") === null);
  for (const control of controls) {
    control.setAttribute("aria-invalid", "true");
    control.setAttribute("aria-errormessage", `error-${field}`);
  }
  return controls.find((control) => control.checked) ?? controls[0];
}
