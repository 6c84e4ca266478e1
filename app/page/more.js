/** What is rarely asked for: a precision, a margin, clipping. Each is shown where the model and the mode take it. */

import { isDensity } from "./cards.js";
import { byId } from "./dom.js";

/** The service's own, of a density of any size. */
const DENSITY_MARGIN = 8;

export function showMore(model, mode, isSwept) {
  const draws = mode !== "score";
  const parts = {
    precision: draws && model?.precisions?.includes("bfloat16"),
    margin: mode === "draw" && model?.image.height === null,
    clip: draws && isDensity(model) && !isSwept,
  };
  for (const [name, isTaken] of Object.entries(parts)) byId(`${name}-part`).hidden = !isTaken;
  byId("margin-default").textContent = isDensity(model) ? DENSITY_MARGIN : 0;
  byId("more").hidden = !Object.values(parts).includes(true);
  const { precision, margin, clip } = moreValues();
  const set = [precision, margin && `margin ${margin}`, clip && "clipped"].filter(Boolean);
  byId("more-set").textContent = set.join(" · ");
}

const isShown = (name) => !byId("more").hidden && !byId(`${name}-part`).hidden;

/** As the API takes them; "" for what is left out. */
export function moreValues() {
  return {
    precision: isShown("precision") && byId("bfloat16").checked ? "bfloat16" : "",
    margin: isShown("margin") ? byId("margin").value.trim() : "",
    clip: isShown("clip") && byId("clip").checked ? "true" : "",
  };
}

/** Takes values as a link gives them. */
export function setMore({ precision, margin, clip }) {
  if (precision !== undefined) byId("bfloat16").checked = precision === "bfloat16";
  if (margin !== undefined) byId("margin").value = margin;
  if (clip !== undefined) byId("clip").checked = clip === "true";
}
