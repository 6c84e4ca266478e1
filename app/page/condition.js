/** What is drawn, completed or scored is conditioned on: a class, tags, or images for the model's encoder. */

import { EACH, chosenClass, showClasses } from "./chips.js";
import { createConditionImage } from "./condition-image.js";
import { byId } from "./dom.js";
import { chosenTags, showTags } from "./tags.js";

const LEGENDS = { none: "Class", class: "Class", tags: "Tags", embedding: "Like this image" };

/** `changed()` is called when another image was chosen. */
export function createCondition(changed) {
  const from = createConditionImage("like", changed);
  const to = createConditionImage("toward", changed);
  byId("toward-clear").addEventListener("click", to.clear);
  let kind = "none";
  let mode = "draw";

  /** `wanted`: {class, tags} to be chosen; undefined leaves the choice as it is. */
  function show(model, newMode, wanted) {
    const conditioning = model?.conditioning ?? { kind: "none" };
    kind = conditioning.kind;
    mode = newMode;
    showClasses(model, mode, wanted.class);
    showTags(kind === "tags" ? conditioning.names : [], wanted.tags);
    byId("condition").hidden = kind === "none";
    byId("condition-legend").textContent = LEGENDS[kind];
    byId("like-images").hidden = !conditioning.takes_image;
    byId("toward-part").hidden = mode !== "draw";
    byId("steps-line").hidden = !to.isChosen;
    from.setModel(model ?? null);
    to.setModel(model ?? null);
  }

  /** The member of a request that says it: {condition} or {interpolate}, or {} where there is nothing to say. */
  async function toSend() {
    if (kind === "tags") return { condition: { tags: chosenTags() } };
    if (kind === "embedding") return images();
    const chosen = chosenClass();
    if (chosen === undefined) return {};
    return { condition: chosen === EACH ? "each" : { class: chosen } };
  }

  async function images() {
    const [first, last] = [await from.toSend(), mode === "draw" ? await to.toSend() : null];
    if (first === null) return {};
    if (last === null) return { condition: first };
    return { interpolate: { from: first, to: last, steps: Number(byId("steps").value) } };
  }

  return { show, toSend, get isMissing() { return kind === "embedding" && !from.isChosen; } };
}

/** A job's condition in words; `className(index)` names a class. "" where there is none. */
export function conditionText(condition, className) {
  if (!condition) return "";
  if (condition.each) return "every class";
  if (condition.tags) return condition.tags.length > 0 ? `tags ${condition.tags.join(", ")}` : "no tags";
  if (condition.interpolate) return `a path of ${condition.interpolate.steps} steps, the same random numbers`;
  if (condition.image) return "like an image";
  if (condition.embedding) return "an embedding";
  return `class ${className(condition.class)}`;
}
