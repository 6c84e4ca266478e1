/** What is drawn, completed or scored is conditioned on: a class, tags, an embedding or images for one, or a map. */

import { EACH, chosenClass, showClasses } from "./chips.js";
import { createConditionImage } from "./condition-image.js";
import { byId } from "./dom.js";
import { chosenTags, showTags } from "./tags.js";

const LEGENDS = { none: "Class", class: "Class", tags: "Tags", embedding: "Embedding", map: "Map" };

/** `changed()` is called when another image was chosen. */
export function createCondition(changed) {
  const from = createConditionImage("like", "image", changed);
  const to = createConditionImage("toward", "image", changed);
  const map = createConditionImage("map", "map", changed);
  byId("toward-clear").addEventListener("click", to.clear);
  let kind = "none";
  let mode = "draw";
  let takesImage = false;

  /** `wanted`: {class, tags} to be chosen; undefined leaves the choice as it is. */
  function show(model, newMode, wanted) {
    const conditioning = model?.conditioning ?? { kind: "none" };
    kind = conditioning.kind;
    takesImage = conditioning.takes_image === true;
    mode = newMode;
    showClasses(model, mode, wanted.class);
    showTags(kind === "tags" ? conditioning.names : [], wanted.tags);
    byId("condition").hidden = kind === "none";
    byId("condition-legend").textContent = LEGENDS[kind];
    byId("like-images").hidden = !takesImage;
    byId("numbers-line").hidden = kind !== "embedding";
    byId("numbers-label").textContent = `${takesImage ? "Or its" : "Its"} ${conditioning.size} numbers`;
    byId("map").hidden = kind !== "map";
    byId("map-label").textContent = conditioning.what === "labels" ? "Choose labels" : "Choose small image";
    byId("toward-part").hidden = mode !== "draw";
    byId("steps-line").hidden = !to.isChosen;
    for (const image of [from, to]) image.setModel(takesImage ? model : null);
    map.setModel(kind === "map" ? model : null);
  }

  /** The member of a request that says it: {condition} or {interpolate}, or {} where there is nothing to say. */
  async function toSend() {
    if (kind === "tags") return { condition: { tags: chosenTags() } };
    if (kind === "embedding") return ends();
    if (kind === "map") return map.isChosen ? { condition: await map.toSend() } : {};
    const chosen = chosenClass();
    if (chosen === undefined) return {};
    return { condition: chosen === EACH ? "each" : { class: chosen } };
  }

  /** Typed numbers go before the image in whose place they are. */
  async function ends() {
    const first = numbers() ? { embedding: numbers() } : await from.toSend();
    const last = mode === "draw" ? await to.toSend() : null;
    if (first === null) return {};
    if (last === null) return { condition: first };
    return { interpolate: { from: first, to: last, steps: Number(byId("steps").value) } };
  }

  /** What is still to be chosen, as a sentence; "" when nothing is. */
  function missing() {
    if (kind === "map" && !map.isChosen) return "Choose a file for the map that the model is told.";
    if (kind !== "embedding" || numbers()) return "";
    if (!takesImage) return "Give the numbers of the embedding.";
    return from.isChosen ? "" : "Choose an image for the model's encoder, or give its numbers.";
  }

  return { show, toSend, missing };
}

/** The numbers that were typed, separated by spaces or commas; null where there are none. */
function numbers() {
  const typed = byId("numbers").value.trim().split(/[\s,;]+/).filter((text) => text !== "");
  return typed.length > 0 ? typed.map(Number) : null;
}

/** A job's condition in words; `className(index)` names a class. "" where there is none. */
export function conditionText(condition, className) {
  if (!condition) return "";
  if (condition.each) return "every class";
  if (condition.tags) return condition.tags.length > 0 ? `tags ${condition.tags.join(", ")}` : "no tags";
  if (condition.interpolate) return `a path of ${condition.interpolate.steps} steps, the same random numbers`;
  if (condition.image) return "like an image";
  if (condition.map) return `told a map of ${condition.map.width} × ${condition.map.height}`;
  if (condition.embedding) return "an embedding";
  return `class ${className(condition.class)}`;
}
