/** Wires the form, the job on show, the URL and the recent jobs together. */

import { getJob, getModels, submit } from "./api.js";
import { curlLine } from "./curl.js";
import { byId, copyFrom } from "./dom.js";
import { showError } from "./field-errors.js";
import { createForm } from "./form.js";
import { createJobView } from "./job-view.js";
import { curlOf, remember, showRecent } from "./recent.js";
import { describe, valuesOf } from "./request.js";
import { readHash, writeHash } from "./state.js";

const LOOK_AGAIN_MS = 3000;

const form = createForm({ changed: () => writeHash(form.values()), submitted });
const view = createJobView({ className: form.className, keepImage, onEnd: listRecent });

async function submitted(values, file) {
  const description = describe(values, file);
  const job = await submit(description).catch(showError);
  if (!job) return;
  remember(job, values.class ?? (values.tags || undefined), curlLine(description));
  offerSent(file);
  writeHash({ ...values, job: job.id });
  show(job);
  bringIntoView(byId("result-title"));
  listRecent();
}

/** On a phone the result begins below the form: go there, unless it can be seen already. */
function bringIntoView(title) {
  const { top } = title.getBoundingClientRect();
  if (top < 0 || top > innerHeight / 2) title.scrollIntoView();
}

function show(job) {
  const curl = curlOf(job.id);
  byId("curl-block").hidden = curl === "";
  byId("curl").textContent = curl;
  view.show(job);
}

/** The file that the curl line names: it may be a converted one, which exists nowhere else. */
function offerSent(file) {
  const link = byId("sent-file");
  URL.revokeObjectURL(link.href);
  link.hidden = file === null;
  if (file === null) return;
  link.href = URL.createObjectURL(file);
  link.download = file.name;
}

/** Takes a drawn image into the form, to be completed anew from any row. */
async function keepImage(file) {
  await form.takeImage(file);
  // Under the seed that drew it, an image is completed to itself.
  form.apply({ mode: "complete", seed: "" });
  writeHash(form.values());
  form.focusPart();
}

async function openJob(jobId) {
  try {
    offerSent(null);
    const job = await getJob(jobId);
    form.apply(valuesOf(job, form.className));
    show(job);
    writeHash({ ...form.values(), job: jobId });
  } catch (error) {
    view.clear(error.message);
  }
}

/** The list is a convenience: when the service cannot give it, the rest of the page goes on. */
function listRecent() {
  showRecent(openJob).catch(() => {});
}

/** Models appear when a worker publishes them, which may be after this page. */
async function lookForModels() {
  const models = await getModels().catch(() => []);
  form.setModels(models);
  if (models.length === 0) setTimeout(lookForModels, LOOK_AGAIN_MS);
}

function followHash() {
  const { job, ...values } = readHash();
  form.apply(values);
  if (job && job !== view.job?.id) openJob(job);
}

byId("copy-curl").addEventListener("click", (event) => copyFrom(event.currentTarget, byId("curl").textContent));
byId("skip").addEventListener("click", (event) => {
  event.preventDefault(); // The hash holds the form.
  byId("result").focus();
});
window.addEventListener("hashchange", followHash);
listRecent();
form.apply(readHash());
await lookForModels();
followHash();
