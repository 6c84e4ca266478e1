/** The form's values as a call of the API, one description for fetch and for the curl line; and back from a job. */

import { EACH } from "./chips.js";

const KINDS = { draw: "sample", complete: "completion", score: "score" };
const PATHS = { draw: "v1/samples", complete: "v1/completions", score: "v1/scores" };

/** How many noises a density's score is averaged over: enough to tell how much they matter. */
const DRAWS = "4";

/**
 * `values`: the form's (see form.js), `told` among them (see condition.js); `file`: the image to complete or to score,
 * or null. Answers {path, json} for a JSON body, or {path, fields, file} for a multipart one, fields being
 * [name, value] pairs.
 */
export function describe(values, file) {
  const path = PATHS[values.mode];
  const { condition } = values.told;
  if (values.mode === "draw") return { path, json: drawBody(values) };
  const fields = [["model", values.model]];
  if (condition) fields.push(["condition", typeof condition === "string" ? condition : JSON.stringify(condition)]);
  if (values.mode === "complete") {
    // Without rows the image's transparent pixels are drawn.
    for (const name of ["rows", "n", "seed", "temperature", "sweeps", "precision", "clip"]) {
      if (values[name]) fields.push([name, values[name]]);
    }
  } else {
    if (values.density) fields.push(["draws", DRAWS]);
    if (values.perPixel) fields.push(["per_pixel", "true"]);
  }
  return { path, fields, file };
}

/** The form's values that ask for `job` once more. */
export function valuesOf(job, className) {
  const mode = Object.keys(KINDS).find((name) => KINDS[name] === job.kind);
  const values = { mode, model: job.model };
  const { condition, ...request } = job.request;
  if (condition?.each) values.class = EACH;
  else if (condition?.class !== undefined) values.class = String(className(job.model, condition.class));
  if (condition?.tags) values.tags = condition.tags.join(",");
  if (mode === "score") return values;
  for (const name of ["n", "seed", "temperature", "rows", "sweeps", "width", "height", "precision", "margin"]) {
    if (request[name] !== null) values[name] = String(request[name]);
  }
  // A 0 that nobody asked for is not to be asked for: below kept rows of a hole, of levels later of a density.
  if (values.rows !== undefined) delete values.sweeps;
  if (values.margin === "0" && request.num_levels > 0) values.margin = "";
  values.clip = String(request.clip !== null);
  return values;
}

function drawBody(values) {
  const body = { model: values.model, n: Number(values.n), seed: values.seed, temperature: Number(values.temperature) };
  Object.assign(body, values.told);
  if (body.interpolate) delete body.n; // A path has an image a step.
  if (values.height) body.height = Number(values.height);
  if (values.width) body.width = Number(values.width);
  if (values.precision) body.precision = values.precision;
  if (values.margin) body.margin = Number(values.margin);
  if (values.clip) body.clip = true;
  // A seed has 64 bits and a JavaScript number only 53, so its digits go into the text as they are.
  return JSON.stringify(body).replace(/"seed":"(\d+)"/, '"seed":$1');
}
