/** A job's events. EventSource resumes by itself with Last-Event-ID; a refused stream is opened anew. */

import { getJob, jobPath } from "./api.js";

const TERMINAL = ["succeeded", "failed", "canceled"];
const TYPES = ["queued", "started", "resumed", "progress", "sample", ...TERMINAL];
const REOPEN_MS = 2000;

/**
 * Replays a job from its first event and follows it. Calls `handlers.event(type, data)` for each,
 * `handlers.link(up)` when the connection is lost or back, and `handlers.gone(error)` when the job is no more.
 * Answers a function that stops following.
 */
export function follow(jobId, handlers) {
  let source = null;
  let timer = null;

  function open() {
    source = new EventSource(`${jobPath(jobId)}/events`);
    source.addEventListener("open", () => handlers.link(true));
    source.addEventListener("error", lost);
    for (const type of TYPES) source.addEventListener(type, receive);
  }

  function receive(event) {
    if (TERMINAL.includes(event.type)) source.close();
    handlers.event(event.type, JSON.parse(event.data));
  }

  async function lost() {
    handlers.link(false);
    if (source.readyState !== EventSource.CLOSED) return;
    try {
      await getJob(jobId);
    } catch (error) {
      if (error.status === 404 || error.status === 410) return handlers.gone(error);
    }
    if (source !== null) timer = setTimeout(open, REOPEN_MS);
  }

  open();
  return () => {
    clearTimeout(timer);
    source?.close();
    source = null;
  };
}
