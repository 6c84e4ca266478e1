"""Images as files. The same levels and the same receipt always give the same bytes."""

import io
import json
import math
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from app.levels import to_bytes
from worker.protocol import JobRequest

RECEIPT_KEYWORD = "scanline-receipt"
GAP = 1
GAP_VALUE = 128
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def levels_of(canvas: bytes, request: JobRequest) -> np.ndarray:
    """The finished rows, uint8 [rows, width, channels]."""
    return np.frombuffer(canvas, np.uint8).reshape(-1, request.width, request.channels)


def png(pixels: np.ndarray, texts: Mapping[str, Any]) -> bytes:
    """8-bit pixels [row, col, channel], 1 or 3 channels, with `texts` as JSON in text chunks."""
    info = PngInfo()
    for keyword, value in texts.items():
        info.add_itxt(keyword, json.dumps(value, sort_keys=True, ensure_ascii=False))
    file = io.BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG", pnginfo=info)
    return file.getvalue()


def sample_png(canvas: bytes, request: JobRequest, receipt: Mapping[str, Any]) -> bytes:
    return png(to_bytes(levels_of(canvas, request), request.num_levels), {RECEIPT_KEYWORD: receipt})


def partial_png(rows: bytes, request: JobRequest) -> bytes:
    """The finished rows on top; what is not drawn yet is transparent."""
    pixels = to_bytes(levels_of(rows, request), request.num_levels)
    canvas = np.zeros((request.height, request.width, 4), np.uint8)
    canvas[: len(pixels), :, :3] = pixels
    canvas[: len(pixels), :, 3] = 255
    return png(canvas, {})


def grid_png(images: Sequence[np.ndarray], request: JobRequest, receipts: Sequence[Mapping[str, Any]]) -> bytes:
    """All images of a job in raster order, as square as they go, with grey lines between them."""
    columns = math.ceil(math.sqrt(len(images)))
    rows = math.ceil(len(images) / columns)
    step_y, step_x = request.height + GAP, request.width + GAP
    sheet = np.full((rows * step_y - GAP, columns * step_x - GAP, request.channels), GAP_VALUE, np.uint8)
    for index, image in enumerate(images):
        top, left = index // columns * step_y, index % columns * step_x
        sheet[top : top + request.height, left : left + request.width] = to_bytes(image, request.num_levels)
    return png(sheet, {RECEIPT_KEYWORD: list(receipts)})


def map_png(log_prob: np.ndarray) -> bytes:
    """Surprise, -log p summed over channels, as grey: black is 0 nats, white the most surprising pixel of the image."""
    nats = -log_prob.sum(axis=2, keepdims=True)
    white = float(max(nats.max(), 1e-6))
    pixels = np.rint(np.clip(nats / white, 0, 1) * 255).astype(np.uint8)
    return png(pixels, {"scanline-map": {"unit": "nats", "black": 0.0, "white": round(white, 6)}})


def npy(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return file.getvalue()


def zipped(files: Mapping[str, bytes]) -> bytes:
    """Stored, not deflated (PNG is compressed already), and without a clock, so that the bytes repeat."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as out:
        for name, data in files.items():
            out.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), data)
    return archive.getvalue()
