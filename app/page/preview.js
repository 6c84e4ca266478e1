/** Any image as pixels that a model takes: its size, grey or colour, its levels. What is shown is what is sent. */

/** What must be done to `bitmap` for a model of `shape` (its `image` facts), in words; empty when nothing must. */
export function conversions(bitmap, shape, invert) {
  const { height, width } = sizeFor(bitmap, shape);
  const numLevels = levelsOf(shape);
  const done = [];
  if (bitmap.height * width !== bitmap.width * height) done.push("cropped to its middle");
  if (bitmap.height !== height) done.push(`resized to ${width} × ${height}`);
  const { data } = draw(bitmap, shape);
  if (somePixel(data, (at) => data[at + 3] < 255)) done.push("laid on black");
  if (shape.channels === 1 && somePixel(data, (at) => data[at] !== data[at + 1] || data[at] !== data[at + 2])) {
    done.push("turned grey");
  }
  if (numLevels < 256 && somePixel(data, (at) => luma(data, at) !== nearest(luma(data, at), numLevels))) {
    done.push(numLevels === 2 ? "made black and white" : `reduced to ${numLevels} levels`);
  }
  if (invert) done.push("inverted");
  return done;
}

/** ImageData of `bitmap` as a model of `shape` takes it. */
export function convert(bitmap, shape, invert) {
  const image = draw(bitmap, shape);
  for (let at = 0; at < image.data.length; at += 4) {
    const opacity = image.data[at + 3] / 255;
    if (shape.channels === 1) image.data.fill(luma(image.data, at), at, at + 3);
    for (let channel = at; channel < at + 3; channel += 1) {
      const value = nearest(image.data[channel] * opacity, levelsOf(shape));
      image.data[channel] = invert ? 255 - value : value;
    }
    image.data[at + 3] = 255;
  }
  return image;
}

/** From 0, black, to 1, white. */
export function meanLuma({ data }) {
  let sum = 0;
  for (let at = 0; at < data.length; at += 4) sum += luma(data, at);
  return sum / (255 * (data.length / 4));
}

/** Shows `image` on a canvas; a `hole` in it stays transparent. */
export function showKept(canvas, image, hole = null) {
  canvas.width = image.width;
  canvas.height = image.height;
  const pen = canvas.getContext("2d");
  pen.putImageData(image, 0, 0);
  if (hole !== null) pen.clearRect(hole.left, hole.top, hole.columns, hole.rows);
}

/** A file of `image`, its `hole` transparent. */
export async function toPng(image, name, hole = null) {
  const canvas = new OffscreenCanvas(image.width, image.height);
  showKept(canvas, image, hole);
  return new File([await canvas.convertToBlob({ type: "image/png" })], name, { type: "image/png" });
}

/** A density (0 levels) takes bytes. */
const levelsOf = (shape) => shape.num_levels || 256;

const sizeFor = (bitmap, shape) => ({ height: shape.height ?? bitmap.height, width: shape.width ?? bitmap.width });

/** The largest part in the middle of `bitmap` that has the wanted shape, at the wanted size; labels are not mixed. */
function draw(bitmap, shape) {
  const { height, width } = sizeFor(bitmap, shape);
  const scale = Math.min(bitmap.width / width, bitmap.height / height);
  const [cutWidth, cutHeight] = [width * scale, height * scale];
  const pen = new OffscreenCanvas(width, height).getContext("2d");
  pen.imageSmoothingEnabled = scale !== 1 && shape.what !== "labels";
  pen.imageSmoothingQuality = "high";
  pen.drawImage(bitmap, (bitmap.width - cutWidth) / 2, (bitmap.height - cutHeight) / 2, cutWidth, cutHeight,
    0, 0, width, height);
  return pen.getImageData(0, 0, width, height);
}

function somePixel(pixels, isSo) {
  for (let at = 0; at < pixels.length; at += 4) if (isSo(at)) return true;
  return false;
}

/** ITU-R 601 luma, the grey of PNG and JPEG tools. */
const luma = (pixels, at) => Math.round(0.299 * pixels[at] + 0.587 * pixels[at + 1] + 0.114 * pixels[at + 2]);

/** The nearest of a model's evenly spaced levels, as a byte. */
function nearest(value, numLevels) {
  const step = 255 / (numLevels - 1);
  return Math.round(Math.round(value / step) * step);
}
