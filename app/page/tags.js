/** The tags to draw, as check boxes that a search narrows; one tab stop, within which arrow keys move. */

import { byId, el, say } from "./dom.js";

let shown = null;

/** Shows the tags of a model (none hides them); `wanted`, if given, are those that are checked. */
export function showTags(names, wanted) {
  byId("tags").hidden = names.length === 0;
  if (JSON.stringify(names) !== shown) {
    shown = JSON.stringify(names);
    byId("tag-search").value = "";
    byId("tag-list").replaceChildren(...names.map(chip));
  }
  for (const box of wanted ? boxes() : []) box.checked = wanted.includes(box.value);
  narrow();
}

function chip(name, index) {
  const input = el("input", { type: "checkbox", name: "tag", value: name, id: `tag-${index}`, tabindex: -1 });
  return el("label", { class: "chip", for: `tag-${index}` }, input, el("span", {}, name));
}

/** What is checked stays in sight whatever is searched for. */
function narrow() {
  const wanted = byId("tag-search").value.trim().toLowerCase();
  for (const box of boxes()) {
    box.parentElement.hidden = !box.checked && !box.value.toLowerCase().includes(wanted);
  }
  keepStop();
  const chosen = chosenTags();
  say(byId("tags-chosen"), chosen.length > 0 ? `Chosen: ${chosen.join(", ")}` : "None chosen: anything may come.");
}

/** Tab leads to the tag that had the focus last, or else to the first chosen one, or else to the first. */
function keepStop() {
  const seen = inSight();
  setStop(seen.find((box) => box.tabIndex === 0) ?? seen.find((box) => box.checked) ?? seen[0]);
}

function setStop(stop) {
  for (const box of boxes()) box.tabIndex = box === stop ? 0 : -1;
}

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey) return; // The browser's own.
  const seen = inSight();
  const at = seen.indexOf(event.target);
  const steps = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: -1 };
  if (event.key === "Enter") event.target.click(); // As space does; it would send the form.
  else if (event.key in steps) seen.at(steps[event.key] % seen.length).focus();
  else return;
  event.preventDefault();
}

const inSight = () => boxes().filter((box) => !box.parentElement.hidden);

const boxes = () => [...byId("tag-list").querySelectorAll("input")];

export const chosenTags = () => boxes().filter((box) => box.checked).map((box) => box.value);

byId("tag-list").addEventListener("focusin", (event) => setStop(event.target));
byId("tag-list").addEventListener("keydown", onKey);
// Enter would send the form.
byId("tag-search").addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
