/** The form's values as a call of the API, one description for fetch and for the curl line; and back from a job. */

import { EACH } from "./chips.js";

const KINDS = { draw: "sample", complete: "completion", score: "score" };
const PATHS = { draw: "v1/samples", complete: "v1/completions", score: "v1/scores" };

/**
 * `values`: the form's (see form.js); `file`: the image to complete or to score, or null. Answers {path, json} for a
 * JSON body, or {path, fields, file} for a multipart one, fields being [name, value] pairs.
 */
export function describe(values, file) {
  const path = PATHS[values.mode];
  const condition = toCondition(values.class);
  if (values.mode === "draw") return { path, json: drawBody(values, condition) };
  const fields = [["model", values.model]];
  if (condition) fields.push(["condition", typeof condition === "string" ? condition : JSON.stringify(condition)]);
  if (values.mode === "complete") {
    fields.push(["rows", values.rows], ["n", values.n], ["seed", values.seed], ["temperature", values.temperature]);
  } else if (values.perPixel) fields.push(["per_pixel", "true"]);
  return { path, fields, file };
}

/** The form's values that ask for `job` once more. */
export function valuesOf(job, className) {
  const mode = Object.keys(KINDS).find((name) => KINDS[name] === job.kind);
  const values = { mode, model: job.model };
  const { condition, ...request } = job.request;
  if (condition) values.class = condition.each ? EACH : String(className(job.model, condition.class));
  for (const name of ["n", "seed", "temperature", "rows"]) {
    if (mode !== "score" && request[name] !== null) values[name] = String(request[name]);
  }
  return values;
}

function toCondition(chosen) {
  if (chosen === undefined) return null;
  return chosen === EACH ? "each" : { class: chosen };
}

function drawBody(values, condition) {
  const body = { model: values.model, n: Number(values.n), seed: values.seed, temperature: Number(values.temperature) };
  if (condition) body.condition = condition;
  // A seed has 64 bits and a JavaScript number only 53, so its digits go into the text as they are.
  return JSON.stringify(body).replace(/"seed":"(\d+)"/, '"seed":$1');
}
