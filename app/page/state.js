/** The form as the URL's hash, so that a link reproduces it. Values are strings; empty ones are left out. */

const NAMES = [
  "mode", "model", "class", "tags", "n", "seed", "temperature", "rows", "hole", "sweeps", "width", "height",
  "precision", "margin", "clip", "job",
];

export function readHash() {
  const parameters = new URLSearchParams(location.hash.slice(1));
  return Object.fromEntries(NAMES.filter((name) => parameters.has(name)).map((name) => [name, parameters.get(name)]));
}

export function writeHash(values) {
  const kept = NAMES.filter((name) => values[name] !== undefined && values[name] !== "");
  const hash = new URLSearchParams(kept.map((name) => [name, values[name]]));
  // replaceState, not location.hash: moving a slider is no step in the browser's history.
  history.replaceState(null, "", `#${hash}`);
}
