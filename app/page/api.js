/** Calls of the HTTP interface. Paths are relative, so the page also works behind a path prefix. */

/** What the service refused, in its own words; `param` names the field at fault ("" when none). */
export class ApiError extends Error {
  constructor(status, problem) {
    super(problem.error?.message ?? problem.detail ?? problem.title ?? `The service answered ${status}.`);
    this.status = status;
    this.code = problem.error?.code ?? "";
    this.param = problem.error?.param ?? "";
  }
}

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch {
    throw new ApiError(0, { detail: "The service does not answer. Is it running?" });
  }
  const body = parse(await response.text());
  if (!response.ok) throw new ApiError(response.status, body);
  return body;
}

/** JSON, but a seed too long for a JavaScript number (it has 64 bits) stays text, digit for digit. */
function parse(text) {
  try {
    return JSON.parse(text.replace(/("seed":\s*)(\d{16,})/g, '$1"$2"'));
  } catch {
    return {};
  }
}

export const jobPath = (jobId) => `v1/jobs/${encodeURIComponent(jobId)}`;
export const imagePath = (jobId, sample) => `${jobPath(jobId)}/images/${sample}`;

export const getModels = async () => (await call("v1/models")).data;
export const getJob = (jobId) => call(jobPath(jobId));
export const getJobs = async () => (await call("v1/jobs?limit=100")).data;
export const cancelJob = (jobId) => call(`${jobPath(jobId)}/cancel`, { method: "POST" });

/** Sends a request described by request.js; answers the new job. */
export function submit(description) {
  if (description.json !== undefined) {
    const headers = { "Content-Type": "application/json" };
    return call(description.path, { method: "POST", headers, body: description.json });
  }
  const body = new FormData();
  for (const [name, value] of description.fields) body.append(name, value);
  body.append("image", description.file, description.file.name);
  return call(description.path, { method: "POST", body });
}
