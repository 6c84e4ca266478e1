/** The part of an image that is drawn anew: all rows below some, or a hole, a rectangle said in numbers or dragged. */

import { byId } from "./dom.js";

const SIDES = ["left", "top", "columns", "rows"];
/** The service sweeps no larger hole unless told to. */
const LARGEST = 32;

const inputs = SIDES.map((side) => byId(`hole-${side}`));
const read = () => inputs.map(({ value }) => Math.round(Number(value)));
const write = (numbers) => inputs.forEach((input, index) => (input.value = String(numbers[index])));
const clamp = (value, low, high) => Math.max(low, Math.min(value, high));

/** What of a rectangle lies in an image of that size: at least one pixel. */
function inside([left, top, columns, rows], { height, width }) {
  const [column, row] = [clamp(left, 0, width - 1), clamp(top, 0, height - 1)];
  return [column, row, clamp(columns, 1, width - column), clamp(rows, 1, height - row)];
}

/** Calls `moved()` while a hole is dragged over the preview and `changed()` when it has been. */
export function createHole({ moved, changed }) {
  let isPlaced = false; // By a person or a link; else it lies in the middle of each new image.
  let size = { height: 28, width: 28 };

  const tidy = () => write(inside(read(), size));

  /** The size of the image that the hole lies in. */
  function setSize(image) {
    if (image.height === size.height && image.width === size.width && isPlaced) return;
    size = { height: image.height, width: image.width };
    if (isPlaced) return tidy();
    const [columns, rows] = [size.width, size.height].map((side) => clamp(Math.round(side / 3), 1, LARGEST));
    write([(size.width - columns) >> 1, (size.height - rows) >> 1, columns, rows]);
  }

  /** {left, top, columns, rows}; while a number is typed, what of it lies in the image. */
  function rectangle() {
    const [left, top, columns, rows] = inside(read(), size);
    return { left, top, columns, rows };
  }

  /** Takes "left,top,columns,rows", as a link gives them. */
  function place(text) {
    const numbers = text.split(",").map(Number);
    if (numbers.length !== SIDES.length || !numbers.every(Number.isInteger)) return;
    isPlaced = true;
    write(numbers);
  }

  function drag(from, to) {
    isPlaced = true;
    const [left, top] = [Math.min(from.x, to.x), Math.min(from.y, to.y)];
    write([left, top, Math.abs(from.x - to.x) + 1, Math.abs(from.y - to.y) + 1]);
    moved();
  }

  for (const input of inputs) {
    input.addEventListener("input", () => (isPlaced = true));
    input.addEventListener("change", tidy);
  }
  listen(byId("input"), drag, changed);
  return { setSize, rectangle, place, get text() { return read().join(","); } };
}

/** Whether nothing is kept after the hole in raster order. */
export function endsImage({ left, top, columns, rows }, { height, width }) {
  return top + rows === height && left + columns === width && (rows === 1 || left === 0);
}

function listen(canvas, drag, dropped) {
  let from = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (canvas.closest(".holed") === null || event.button !== 0) return;
    canvas.setPointerCapture(event.pointerId);
    from = pixelAt(canvas, event);
    drag(from, from);
  });
  canvas.addEventListener("pointermove", (event) => from && drag(from, pixelAt(canvas, event)));
  canvas.addEventListener("lostpointercapture", () => {
    from = null;
    dropped();
  });
}

function pixelAt(canvas, { clientX, clientY }) {
  const box = canvas.getBoundingClientRect();
  return {
    x: clamp(Math.floor(((clientX - box.left) / box.width) * canvas.width), 0, canvas.width - 1),
    y: clamp(Math.floor(((clientY - box.top) / box.height) * canvas.height), 0, canvas.height - 1),
  };
}
