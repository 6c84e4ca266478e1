/** The tags to draw, as check boxes that a search narrows. */

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
  const input = el("input", { type: "checkbox", name: "tag", value: name, id: `tag-${index}` });
  return el("label", { class: "chip", for: `tag-${index}` }, input, el("span", {}, name));
}

/** What is checked stays in sight whatever is searched for. */
function narrow() {
  const wanted = byId("tag-search").value.trim().toLowerCase();
  for (const box of boxes()) {
    box.parentElement.hidden = !box.checked && !box.value.toLowerCase().includes(wanted);
  }
  const chosen = chosenTags();
  say(byId("tags-chosen"), chosen.length > 0 ? `Chosen: ${chosen.join(", ")}` : "None chosen: anything may come.");
}

const boxes = () => [...byId("tag-list").querySelectorAll("input")];

export const chosenTags = () => boxes().filter((box) => box.checked).map((box) => box.value);

// Enter would send the form.
byId("tag-search").addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
