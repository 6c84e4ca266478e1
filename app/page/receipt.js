/** The receipt of one image, in a dialog. */

import { byId, copyFrom, el } from "./dom.js";

let shown = "";

export function showReceipt(job, sample) {
  const receipt = job.result[sample].receipt;
  shown = JSON.stringify(receipt, null, 2);
  byId("receipt-facts").replaceChildren(...Object.entries(receipt).flatMap(([name, value]) => fact(name, value)));
  byId("receipt").showModal();
}

function fact(name, value) {
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return [el("dt", {}, name.replaceAll("_", " ")), el("dd", {}, text)];
}

byId("copy-receipt").addEventListener("click", (event) => copyFrom(event.currentTarget, shown));
