/** Levels, or a density's numbers, on a canvas: one canvas pixel per image pixel, enlarged by CSS without smoothing. */

export class LevelCanvas {
  /** `shape` = {height, width, channels, numLevels}; 0 levels are a density. */
  constructor(canvas, shape) {
    this.canvas = canvas;
    this.shape = shape;
    this.drawn = new Set();
    canvas.width = shape.width;
    canvas.height = shape.height;
    this.pen = canvas.getContext("2d");
  }

  get complete() {
    return this.drawn.size === this.shape.height;
  }

  /** Draws one row, given as base64 of width x channels bytes, or little-endian float32 of a density. */
  putRow(row, base64) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const levels = this.shape.numLevels ? bytes : new Float32Array(bytes.buffer).map(Math.floor);
    this.pen.putImageData(new ImageData(toRgba(levels, this.shape), this.shape.width, 1), 0, row);
    this.drawn.add(row);
  }

  /** Draws a whole image from its address. */
  async putImage(address) {
    const image = new Image();
    image.src = address;
    await image.decode();
    this.pen.drawImage(image, 0, 0);
    for (let row = 0; row < this.shape.height; row += 1) this.drawn.add(row);
  }

  clear() {
    this.pen.clearRect(0, 0, this.shape.width, this.shape.height);
    this.drawn.clear();
  }
}

/** Levels (channel last; one channel or three) as opaque RGBA bytes. */
function toRgba(levels, { channels, numLevels }) {
  const scale = numLevels ? 255 / (numLevels - 1) : 1;
  const rgba = new Uint8ClampedArray((levels.length / channels) * 4);
  for (let pixel = 0; pixel * 4 < rgba.length; pixel += 1) {
    for (let channel = 0; channel < 3; channel += 1) {
      rgba[pixel * 4 + channel] = levels[pixel * channels + Math.min(channel, channels - 1)] * scale;
    }
    rgba[pixel * 4 + 3] = 255;
  }
  return rgba;
}
