/** The images of a job: canvases that fill row by row, then what is known of each. */

import { imagePath } from "./api.js";
import { LevelCanvas } from "./canvas.js";
import { el } from "./dom.js";
import { bits, bounds, fixed, nats, percent, rate } from "./format.js";
import { showReceipt } from "./receipt.js";

/** Answers {putRows(rows), finish(sample), end(job)} for the job's figures in `box`. */
export function createSamples(box, job, keepImage) {
  const figures = Array.from({ length: job.request.n }, (_, index) => createFigure(job, index));
  box.replaceChildren(...figures.map((figure) => figure.node));

  function finish(sample) {
    const facts = sample.kind === "density" ? densityFacts(sample) : levelFacts(sample);
    if ("acceptance_rate" in sample) facts.push(el("span", {}, `${percent(sample.acceptance_rate)} accepted`));
    figures[sample.sample].facts.replaceChildren(...facts);
  }

  async function end(finished) {
    for (const sample of finished.result) finish(sample);
    if (finished.state !== "succeeded") return;
    // Rows of a swept hole are told again and again, and some of that may have been missed.
    const isShown = ({ pixels }) => pixels.complete && !job.request.sweeps;
    await Promise.all(figures.map((figure, index) => isShown(figure) || figure.pixels.putImage(imagePath(job.id, index))));
    figures.forEach((figure, index) => figure.end(finished, index, keepImage));
  }

  return {
    putRows: (rows) => rows.forEach((row) => figures[row.sample].putRow(row.row, row.data)),
    finish,
    end,
  };
}

function createFigure(job, index) {
  const height = job.request.height;
  const canvas = el("canvas", { role: "img" });
  const frame = el("div", { class: "frame" }, canvas);
  if (job.request.rows) frame.classList.add("completed");
  frame.style.setProperty("--kept", (job.request.rows ?? 0) / height);
  const facts = el("p", { class: "sample-facts" });
  const actions = el("p", { class: "sample-actions" });
  const node = el("figure", {}, frame, el("figcaption", {}, facts, actions));
  const pixels = new LevelCanvas(canvas, {
    height, width: job.request.width, channels: job.request.channels, numLevels: job.request.num_levels,
  });

  function describe() {
    const rows = pixels.drawn.size;
    const share = rows / height;
    frame.style.setProperty("--drawn", share);
    frame.classList.toggle("drawing", rows > 0 && rows < height);
    const state = rows === height ? "" : `, ${rows} of ${height} rows drawn`;
    canvas.setAttribute("aria-label", `Image ${index + 1} of ${job.request.n}${state}`);
  }

  function putRow(row, data) {
    pixels.putRow(row, data);
    describe();
  }

  describe();
  return { node, pixels, facts, putRow, end: (finished, sample, keepImage) => {
    describe();
    actions.replaceChildren(...actionsOf(finished, sample, keepImage));
  } };
}

function levelFacts(sample) {
  const [more, less] = bounds(sample);
  const facts = [hidden("log-probability"), el("b", {}, more + nats(sample.log_prob))];
  facts.push(el("span", {}, less + bits(sample.bits_per_dim)));
  if ("drawn_log_prob" in sample) facts.push(el("span", {}, `drawn part ${fixed(sample.drawn_log_prob, 2)}`));
  return facts;
}

function densityFacts(sample) {
  const figure = el("b", { title: "Higher is better" }, rate(sample.density_bits_per_pixel));
  const facts = [figure, el("span", {}, "of a density")];
  const drawn = sample.drawn_density_bits_per_pixel;
  if (drawn !== undefined) facts.push(el("span", {}, `drawn part ${rate(drawn)}`));
  return facts;
}

const hidden = (text) => el("span", { class: "visually-hidden" }, text);

function actionsOf(job, index, keepImage) {
  const name = `${job.model}-${job.request.seed}-${index}.png`;
  const address = imagePath(job.id, index);
  const nth = (word) => hidden(`${word} image ${index + 1}`);
  const keep = async () => keepImage(new File([await (await fetch(address)).blob()], name, { type: "image/png" }));
  return [
    el("a", { href: address, download: name }, "PNG", nth(" of")),
    el("button", { type: "button", class: "plain", click: () => showReceipt(job, index) }, "Receipt", nth(" of")),
    el("button", { type: "button", class: "plain", click: keep }, "Complete", nth("")),
  ];
}
