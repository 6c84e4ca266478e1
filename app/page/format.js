/** Numbers and counts as this page writes them. */

const whole = new Intl.NumberFormat("en");

export const count = (value) => whole.format(value);

export function plural(value, noun) {
  if (value === 1) return `1 ${noun}`;
  return `${count(value)} ${noun}${noun.endsWith("s") ? "es" : "s"}`;
}

/** A number with a real minus sign and a fixed number of decimals. */
export function fixed(value, decimals) {
  return value.toFixed(decimals).replace("-", "−");
}

export const nats = (value) => `${fixed(value, 2)} nats`;
export const rate = (value) => `${fixed(value, 3)} bit/px`;
/** What stands before the log-probability and before the bits/dim of a model that knows only a bound on them. */
export const bounds = ({ kind }) => (kind === "bound" ? ["≥ ", "≤ "] : ["", ""]);
export const bits = (value) => `${fixed(value, 3)} bits/dim`;

export function percent(share) {
  if (share > 0.995 && share < 1) return "> 99 %";
  if (share > 0 && share < 0.005) return "< 1 %";
  return `${Math.round(share * 100)} %`;
}

/** "just now", "5 min ago", "2 h ago" or a date. */
export function ago(milliseconds) {
  const minutes = Math.round((Date.now() - milliseconds) / 60000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 24 * 60) return `${Math.round(minutes / 60)} h ago`;
  return new Date(milliseconds).toLocaleDateString();
}
