/** One job on the page: follows its events, shows how far it is, its samples or scores, and what to do with them. */

import { cancelJob, getJob, jobPath } from "./api.js";
import { conditionText } from "./condition.js";
import { byId, el, say } from "./dom.js";
import { follow } from "./events.js";
import { percent, plural } from "./format.js";
import { createSamples } from "./samples.js";
import { showScores } from "./scores.js";
import { createTraces } from "./traces.js";

const WORDS = { queued: "Queued", running: "Drawing", succeeded: "Done", failed: "Failed", canceled: "Canceled" };
const ENDED = ["succeeded", "failed", "canceled"];
const TITLES = { sample: "Drawn by", completion: "Completed by", score: "Scored by" };

const CONDITIONING = {
  exact: "exact: drawn from p(rest | kept)",
  causal_only: "causal only: not all kept pixels influence what is drawn",
  posterior: "posterior: drawn from p(hole | all that is kept)",
};

/**
 * `className(model, index)` names a class; `keepImage(file)` takes a drawn image into the form; `onEnd()` is called
 * when a job reaches its end.
 */
export function createJobView({ className, keepImage, onEnd }) {
  let job = null;
  let samples = null;
  let traces = null;
  let stop = () => {};
  let announced = 0;
  let settled = false; // The job had ended when it was shown: its events then only bring its rows.

  /** Shows a job as the API gives it and follows it to its end. */
  function show(shown) {
    stop();
    job = shown;
    announced = 0;
    settled = ENDED.includes(job.state);
    samples = job.kind === "score" ? null : createSamples(byId("samples"), job, keepImage);
    if (samples === null) byId("samples").replaceChildren();
    traces = createTraces(byId("traces"), job);
    byId("scores").replaceChildren();
    say(byId("job-error"), "");
    byId("result-title").textContent = `${TITLES[job.kind]} ${job.model}`;
    byId("result-facts").textContent = facts(job, className);
    byId("job-links").replaceChildren(...links(job));
    byId("after").hidden = byId("progress-line").hidden = false;
    setState(job.state, job.queue_position);
    stop = follow(job.id, {
      event: receive,
      link: (up) => (byId("link-lost").hidden = up),
      gone: (error) => clear(error.message),
    });
  }

  function clear(message) {
    stop();
    job = null;
    for (const box of ["samples", "traces", "scores"]) byId(box).replaceChildren();
    byId("after").hidden = byId("progress-line").hidden = true;
    say(byId("job-error"), message);
  }

  function receive(type, data) {
    if (type === "progress") samples?.putRows(data.rows);
    if (type === "sample") {
      samples?.finish(data);
      traces.add(data);
    }
    if (ENDED.includes(type)) finish(type);
    else if (settled) return;
    else if (type === "queued") setState("queued", data.position);
    else if (type === "started" || type === "resumed") setState("running");
    else if (type === "progress") progress(data);
  }

  function progress(data) {
    byId("progress").value = data.done / data.total;
    if (job.state !== "running") setState("running");
    byId("state").textContent = `${WORDS.running}, ${percent(data.done / data.total)}`;
    announce(Math.floor((4 * data.done) / data.total));
  }

  /** A screen reader hears quarters, not every row. */
  function announce(quarter) {
    if (quarter <= announced || quarter >= 4) return;
    announced = quarter;
    byId("live").textContent = `${quarter * 25} percent drawn`;
  }

  async function finish(state) {
    setState(state);
    const ended = await getJob(job.id).catch((error) => say(byId("job-error"), error.message));
    if (!ended || ended.id !== job?.id) return; // Refused, or another job was opened meanwhile.
    job = ended;
    byId("state").textContent = WORDS[state] + duration(job);
    byId("result-facts").textContent = facts(job, className);
    if (job.error) say(byId("job-error"), job.error.message);
    if (state === "succeeded" && job.kind === "score") showScores(byId("scores"), job);
    job.result.forEach(traces.add);
    await samples?.end(job);
    onEnd();
  }

  function setState(state, ahead = 0) {
    job.state = state;
    const place = ahead > 0 ? `, ${ahead} before it` : "";
    byId("state").textContent = WORDS[state] + place;
    byId("live").textContent = WORDS[state] + place;
    if (ENDED.includes(state) && document.activeElement === byId("cancel")) byId("result").focus();
    byId("cancel").hidden = ENDED.includes(state);
    byId("progress-line").dataset.state = state;
    if (state === "succeeded") byId("progress").value = 1;
    else if (state === "queued") byId("progress").value = 0;
  }

  byId("cancel").addEventListener("click", async () => {
    await cancelJob(job.id).catch((error) => say(byId("job-error"), error.message));
  });
  return { show, clear, get job() { return job; } };
}

function duration({ started_at: start, finished_at: end }) {
  return start && end ? ` in ${((Date.parse(end) - Date.parse(start)) / 1000).toFixed(1)} s` : "";
}

function facts(job, className) {
  const { n, seed, temperature, condition, rows, sweeps, margin, precision, clip } = job.request;
  const conditioning = job.result[0]?.conditioning;
  const parts = [];
  if (condition) parts.push(conditionText(condition, (index) => className(job.model, index)));
  if (job.kind !== "score") parts.push(plural(n, "image"), `seed ${seed}`);
  if (job.kind !== "score" && job.request.num_levels > 0 && !sweeps) parts.push(`temperature ${temperature}`);
  if (precision === "bfloat16") parts.push(precision);
  if (margin) parts.push(`${margin} pixels of margin cut off`);
  if (clip) parts.push("clipped to the range of the training data");
  if (sweeps) parts.push(plural(sweeps, "sweep"));
  if (rows !== null) parts.push(`${plural(rows, "row")} kept`);
  if (conditioning) parts.push(CONDITIONING[conditioning]);
  return parts.join(" · ");
}

function links(job) {
  const all = [el("a", { href: jobPath(job.id) }, "Job as JSON")];
  if (job.kind !== "score") {
    all.push(el("a", { href: `${jobPath(job.id)}/images.zip`, download: "" }, "All images (zip)"));
    const numbers = job.request.num_levels ? "Levels (npy)" : "Numbers (npy)";
    all.push(el("a", { href: `${jobPath(job.id)}/images.npy`, download: "" }, numbers));
  }
  if (job.request.per_pixel) {
    all.push(el("a", { href: `${jobPath(job.id)}/maps/0.npy`, download: "" }, "Map as numbers (npy)"));
  }
  return all.flatMap((link) => [link, " "]);
}
