"""Images as files. The same levels and the same receipt always give the same bytes."""

import io
import json
import math
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from app.levels import to_bytes
from worker.protocol import UNITS, JobRequest

RECEIPT_KEYWORD = "scanline-receipt"
GAP = 1
GAP_VALUE = 128
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def levels_of(canvas: bytes, request: JobRequest) -> np.ndarray:
    """The finished rows of the image, cut out of its canvas: uint8 or (a density) float32 [rows, width, channels]."""
    return shown_columns(canvas, request)[request.hidden_rows :]


def shown_columns(rows: bytes, request: JobRequest) -> np.ndarray:
    """Whole rows of a canvas without its margin at either side, as `levels_of`."""
    levels = np.frombuffer(rows, "<f4" if request.is_density else np.uint8)
    levels = levels.reshape(-1, request.canvas_width, request.channels)
    return levels[:, request.margin : request.margin + request.width]


def png(pixels: np.ndarray, texts: Mapping[str, Any]) -> bytes:
    """8-bit pixels [row, col, channel], 1 or 3 channels, with `texts` as JSON in text chunks."""
    info = PngInfo()
    for keyword, value in texts.items():
        info.add_itxt(keyword, json.dumps(value, sort_keys=True, ensure_ascii=False))
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def sample_png(canvas: bytes, request: JobRequest, receipt: Mapping[str, Any] | None = None) -> bytes:
    """A whole image, with its receipt once it has one."""
    texts = {} if receipt is None else {RECEIPT_KEYWORD: receipt}
    return png(to_bytes(levels_of(canvas, request), request.num_levels), texts)


def grid_png(images: Iterable[np.ndarray], request: JobRequest, receipts: Sequence[Mapping[str, Any]]) -> bytes:
    """All images of a job in raster order, as square as they go, with grey lines between them."""
    columns = math.ceil(math.sqrt(request.n))
    rows = math.ceil(request.n / columns)
    step_y, step_x = request.height + GAP, request.width + GAP
    sheet = np.full((rows * step_y - GAP, columns * step_x - GAP, request.channels), GAP_VALUE, np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * step_y, index % columns * step_x
        sheet[top : top + request.height, left : left + request.width] = to_bytes(image, request.num_levels)
    return png(sheet, {RECEIPT_KEYWORD: list(receipts)})


def map_png(log_prob: np.ndarray, is_density: bool = False) -> bytes:
    """Surprise, -log p summed over channels, as grey: white is the most surprising pixel of the image.

    Black is 0 nats; of a density, where 0 means nothing, the least surprising pixel.
    """
    surprise = -log_prob.sum(axis=2, keepdims=True)
    black = float(surprise.min()) if is_density else 0.0
    white = max(float(surprise.max()), black + 1e-6)
    pixels = np.rint(np.clip((surprise - black) / (white - black), 0, 1) * 255).astype(np.uint8)
    unit = f"-1 {UNITS['density']}" if is_density else UNITS["exact"]
    return png(pixels, {"scanline-map": {"unit": unit, "black": round(black, 6), "white": round(white, 6)}})


def npy(parts: Iterable[np.ndarray], shape: tuple[int, ...], dtype: np.typing.DTypeLike) -> memoryview:
    """One array of `shape` as a NumPy file, its parts written one after another: together they may be large."""
    file = io.BytesIO()
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    np.lib.format.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": shape})
    for part in parts:
        file.write(part.astype(dtype, copy=False).tobytes())
    return file.getbuffer()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Stored, not deflated (PNG is compressed already), and without a clock, so that the bytes repeat."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
        for name, data in files.items():
            out.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), data)
    return archive.getvalue()
