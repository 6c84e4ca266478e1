/** The models to choose from: one radio button in a card each, with what was measured or why it was refused. */

import { el } from "./dom.js";
import { count, fixed, percent, plural } from "./format.js";

/** Fills `box`, refused models last. The chosen card is the checked radio named "model". */
export function showCards(box, models, chosen) {
  if (models.length === 0) {
    box.replaceChildren(el("p", { class: "quiet" }, "No worker has published a model yet. Looking again…"));
    return;
  }
  const sorted = [...models].sort((a, b) => isRefused(a) - isRefused(b));
  box.replaceChildren(...sorted.map((model, index) => card(model, `model-${index}`, model.id === chosen)));
  showChosen(box);
}

/** The model to begin with: of those that need be told no more than a class, and so show well at once, the fastest. */
export function suggested(models) {
  const plain = models.filter((model) => !isDensity(model) && ["none", "class"].includes(model.conditioning.kind));
  const speed = (model) => model.pixels_per_second ?? 0;
  return [...plain].sort((a, b) => speed(b) - speed(a))[0] ?? models[0];
}

/** Scrolls the list, which does so by itself, until the chosen card is in sight; the page stays where it is. */
export function showChosen(box) {
  const chosen = box.querySelector(":checked")?.closest(".card");
  if (!chosen) return;
  const above = chosen.offsetTop - box.scrollTop;
  if (above >= 0 && above + chosen.offsetHeight <= box.clientHeight) return;
  box.scrollTop = chosen.offsetTop - (box.clientHeight - chosen.offsetHeight) / 2;
}

/** What is known of the chosen model beside its figures. */
export function about(model) {
  const { data, license } = model?.training ?? {};
  const told = [data && `Trained on ${data}.`, license && `Licence of the images: ${license}.`];
  return [model?.description, ...told].filter(Boolean).join(" ");
}

const isRefused = (model) => model.status !== "admitted";

function card(model, id, checked) {
  const refused = isRefused(model);
  const input = el("input", { type: "radio", name: "model", value: model.id, id, checked, disabled: refused,
    "aria-labelledby": `${id}-title`, "aria-describedby": `${id}-facts` });
  return el("label", { class: refused ? "card refused" : "card", for: id }, input,
    el("span", { class: "card-title", id: `${id}-title` }, model.title || model.id),
    model.title && model.title !== model.id ? el("span", { class: "card-id" }, model.id) : null,
    el("span", { class: "card-facts", id: `${id}-facts` }, ...(refused ? [`Refused: ${model.reason}`] : facts(model))));
}

function facts(model) {
  const { height, width, channels, num_levels: numLevels } = model.image;
  const size = height ? `${width} × ${height}` : "any size";
  const values = isDensity(model) ? "density" : plural(numLevels, "level");
  const colour = channels === 1 ? "grey" : "colour";
  const parts = [size, colour, values, ...told(model.conditioning)];
  if (model.pixels_per_second) parts.push(`${count(Math.round(model.pixels_per_second))} pixels/s`);
  return [parts.join(" · "), el("br"), ...likelihood(model)];
}

/** What a model is told, as facts of its card. */
function told({ kind, names, size, what, level }) {
  if (kind === "class") return [plural(names.length, "class")];
  if (kind === "tags") return [plural(names.length, "tag")];
  if (kind === "map") {
    if (what === "labels") return [`told ${plural(names.length, "label")}`];
    return [level > 0 ? `told it ${2 ** level} times smaller` : "told an image of its size"];
  }
  return kind === "embedding" ? [`told ${plural(size, "number")}`] : [];
}

/** Whether a model draws real numbers, whose likelihood is a density: no nats, no temperature. */
export const isDensity = (model) => model?.likelihood?.kind === "density";

/** What the bundle's evaluation measured: nats for two levels, bits/dim for more, as the field quotes them. */
function likelihood(model) {
  const measured = model.evaluation;
  if (!measured) return ["not measured"];
  const [unit, decimals, { mean, standard_error: error }] = measuredIn(model, measured);
  const atMost = model.likelihood?.kind === "bound" ? "≤ " : "";
  // The cost of an image, as papers quote it; of a density the rate, which is no cost.
  const [value, better] = isDensity(model) ? [mean, "higher"] : [Math.abs(mean), "lower"];
  const figure = el("b", {}, `${atMost}${fixed(value, decimals)} ± ${fixed(error, decimals)} ${unit}`);
  const asked = measured.classifier && `, ${percent(measured.classifier.share_as_asked)} drawn as asked`;
  return [figure, ` on ${count(measured.num_images)} test images, ${better} is better`, asked ?? ""];
}

function measuredIn(model, measured) {
  if (isDensity(model)) return [model.likelihood.unit, 3, measured.density_bits_per_pixel];
  if (model.image.num_levels === 2) return ["nats an image", 2, measured.log_prob_nats];
  return ["bits/dim", 3, measured.bits_per_dim];
}

/** The class names of a class-conditional model; empty for any other. */
export const classNames = (model) => (model?.conditioning?.kind === "class" ? model.conditioning.names : []);
