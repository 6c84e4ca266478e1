/** The class to draw, as radio buttons in a row that wraps. */

import { byId, el } from "./dom.js";
import { classNames } from "./cards.js";

/** The value that asks a score for every class in turn. */
export const EACH = "*";

let shown = null;

/** Shows the model's classes (and "every class" for a score) and checks `wanted`, or else the first. */
export function showClasses(model, mode, wanted) {
  const choices = classNames(model).map((name) => [name, name]);
  if (mode === "score" && choices.length > 0) choices.unshift([EACH, "every class"]);
  // Drawing the buttons anew takes the focus away from them, so only when they differ.
  if (JSON.stringify(choices) !== shown) {
    shown = JSON.stringify(choices);
    byId("classes").replaceChildren(...choices.map(([value, text], index) => chip(value, text, index)));
  }
  const inputs = [...byId("classes").querySelectorAll("input")];
  const chosen = inputs.find(({ value }) => value === wanted) ?? inputs[0];
  if (chosen) chosen.checked = true;
}

function chip(value, text, index) {
  const input = el("input", { type: "radio", name: "class", value, id: `class-${index}` });
  return el("label", { class: "chip", for: `class-${index}` }, input, el("span", {}, text));
}

export const chosenClass = () => document.querySelector("input[name=class]:checked")?.value;
