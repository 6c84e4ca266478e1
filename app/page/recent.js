/** The jobs asked for from this browser; the list outlives a reload, the service keeps the images. */

import { getJobs, imagePath } from "./api.js";
import { EACH } from "./chips.js";
import { byId, el } from "./dom.js";
import { ago } from "./format.js";

const KEY = "scanline.recent";
const LENGTH = 12;

function load() {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? [];
  } catch {
    return []; // Storage is refused in some private windows: then there is no list, and nothing else breaks.
  }
}

function save(entries) {
  try {
    localStorage.setItem(KEY, JSON.stringify(entries.slice(0, LENGTH)));
  } catch {
    // See load.
  }
}

/** Remembers a job with the class it was asked for and the command line that asks it again. */
export function remember(job, chosenClass, curl) {
  const rest = load().filter((entry) => entry.id !== job.id);
  save([{ id: job.id, kind: job.kind, model: job.model, class: chosenClass, curl, at: Date.now() }, ...rest]);
}

/** The command line of a remembered job; "" for a job of another browser. */
export const curlOf = (jobId) => load().find((entry) => entry.id === jobId)?.curl ?? "";

/** Lists the remembered jobs that the service still has; a press calls `open(jobId)`. */
export async function showRecent(open) {
  const states = new Map((await getJobs()).map((job) => [job.id, job.state]));
  const entries = load().filter((entry) => states.has(entry.id));
  byId("recent-section").hidden = entries.length === 0;
  byId("recent").replaceChildren(...entries.map((entry) => item(entry, states.get(entry.id), open)));
}

function item(entry, state, open) {
  const pictured = state === "succeeded" && entry.kind !== "score";
  const picture = pictured
    ? el("img", { src: imagePath(entry.id, 0), alt: "", loading: "lazy", width: 40, height: 40 })
    : el("span", { class: "no-picture", "aria-hidden": "true" });
  const chosen = entry.class === undefined ? [] : [entry.class === EACH ? "every class" : entry.class];
  const text = [entry.kind, entry.model, ...chosen, ...(state === "succeeded" ? [] : [state])].join(" · ");
  const label = el("span", {}, text, el("small", {}, ago(entry.at)));
  return el("li", {}, el("button", { type: "button", click: () => open(entry.id) }, picture, label));
}
