/** What a score job found: log-probability, bits/dim, percentile, the classes' shares, the map of surprise. */

import { jobPath } from "./api.js";
import { el } from "./dom.js";
import { bits, bounds, fixed, nats, percent } from "./format.js";

export function showScores(box, job) {
  box.replaceChildren(...job.result.map((score, index) => showScore(job, score, index)));
}

function showScore(job, score, index) {
  if (score.kind === "density") return showDensity(job, score, index);
  const one = job.request.condition ? "log p(image | class)" : "log p(image)";
  const label = score.classes ? "log p(image), all classes equally likely" : one;
  const [more, less] = bounds(score);
  const parts = [el("p", { class: "score-figure" }, el("span", {}, label), el("b", {}, more + nats(score.log_prob)),
    el("span", {}, less + bits(score.bits_per_dim)))];
  if (typeof score.percentile === "number") {
    parts.push(el("p", {}, `More probable than ${percent(score.percentile / 100)} of the test images.`));
  }
  if (score.classes) parts.push(classTable(score.classes, more));
  if (job.request.per_pixel) parts.push(map(job, index));
  return el("section", { class: "score", "aria-label": `Score of image ${index + 1}` }, ...parts);
}

/** A rate has a unit of its own; what may stand beside bits/dim of other models is the bound below it. */
function showDensity(job, score, index) {
  const error = (decimals) => (score.standard_error === null ? "" : ` ± ${fixed(score.standard_error, decimals)}`);
  const bound = `${fixed(score.code_length.bits_per_dim, 3)}${error(3)} bits/dim`;
  const parts = [
    el("p", { class: "score-figure" }, el("span", {}, "log-density, higher is better"),
      el("b", {}, `${fixed(score.density_bits_per_pixel, 3)}${error(3)} bit/px`), el("span", {}, "of a density")),
    el("p", {}, `Higher than ${percent(score.percentile / 100)} of the test images.`),
    el("p", {}, `Code length of its bytes: at most ${bound}, on average over the noise that was added to them.`),
  ];
  if (job.request.per_pixel) parts.push(map(job, index));
  return el("section", { class: "score", "aria-label": `Score of image ${index + 1}` }, ...parts);
}

function classTable(classes, more) {
  const rows = classes.map(({ name, log_prob: logProb, percentile, posterior }) => {
    const bar = el("span", { class: "bar", "aria-hidden": "true" });
    bar.style.setProperty("--share", posterior);
    const figures = [more + fixed(logProb, 2), String(Math.round(percentile))].map((text) => el("td", {}, text));
    return el("tr", {}, el("th", { scope: "row" }, name), ...figures, el("td", {}, percent(posterior), bar));
  });
  const columns = ["class", "log p (nats)", "percentile", "p(class | image)"];
  const head = columns.map((text) => el("th", { scope: "col" }, text));
  return el("table", {}, el("caption", {}, "Which class explains it"), el("thead", {}, el("tr", {}, ...head)),
    el("tbody", {}, ...rows));
}

function map(job, index) {
  const alt = "Map of the surprise at each pixel; bright is surprising";
  const picture = el("img", { src: `${jobPath(job.id)}/maps/${index}`, alt });
  return el("figure", { class: "map" }, el("div", { class: "frame" }, picture),
    el("figcaption", { class: "quiet" }, "How surprising each pixel is, −log p; bright is surprising."));
}
