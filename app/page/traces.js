/** How the chains of a posterior completion went: the image's likelihood after every sweep, a line a chain. */

import { el, svg } from "./dom.js";
import { nats, plural, rate } from "./format.js";

const [WIDTH, HEIGHT] = [300, 80];
const VERDICT = "While a line still climbs, or lines keep apart, more sweeps help.";

/** Answers {add(sample)}, which draws the trace of a finished sample beside those of the others in `box`. */
export function createTraces(box, job) {
  const traces = new Map();
  box.replaceChildren();

  function add(sample) {
    if (!sample.trace || traces.has(sample.sample)) return;
    traces.set(sample.sample, sample.trace);
    box.replaceChildren(figure([...traces], sample.kind === "density", job.request.n));
  }

  return { add };
}

function figure(traces, isDensity, numChains) {
  // Trace by trace: of all of them together there may be more numbers than a call takes.
  const [low, high] = [Math.min, Math.max].map((end) => end(...traces.map(([, trace]) => end(...trace))));
  const [lowest, highest] = [low, high].map(isDensity ? rate : nats);
  const sweeps = plural(traces[0][1].length - 1, "sweep");
  const lines = traces.map(([sample, trace]) => line(sample, trace, low, high));
  const name = `Likelihood of each image over ${sweeps}, between ${lowest} and ${highest}`;
  const plot = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": name });
  plot.append(...lines);
  const what = isDensity ? "Rate of a density" : "log p of the image";
  const chains = numChains > 1 ? ", one line an image" : "";
  return el("figure", { class: "trace" },
    el("figcaption", {}, `${what} after each of ${sweeps}${chains}`, el("span", { class: "quiet" }, VERDICT)),
    el("div", { class: "trace-scale" }, el("span", {}, highest), el("span", {}, lowest)), plot);
}

function line(sample, trace, low, high) {
  const step = WIDTH / Math.max(1, trace.length - 1);
  const place = (value) => (high === low ? HEIGHT / 2 : HEIGHT * (1 - (value - low) / (high - low)));
  const points = trace.map((value, sweep) => `${(sweep * step).toFixed(2)},${place(value).toFixed(2)}`).join(" ");
  return svg("polyline", { points }, svg("title", {}, `Image ${sample + 1}`));
}
