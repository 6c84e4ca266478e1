"""Uploaded image files: refused by their header before decoding, then decoded to plain 8-bit pixels.

What the pixels must look like for a model is the concern of `levels`; here is only what a file may be.
"""

import hashlib
import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from app.errors import ApiError, Code

FORMATS = ("PNG", "JPEG", "WEBP")
MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA")
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
PNG_START = PNG_SIGNATURE + b"\x00\x00\x00\rIHDR"

# Pillow reads each chunk or segment by itself, in Python: millions of empty ones would take it seconds.
MAX_READS = 100_000

# Pillow's own guard warns at one size and raises at another; ours is a setting and is checked before any decoding.
Image.MAX_IMAGE_PIXELS = None


@dataclass(frozen=True, slots=True)
class Upload:
    """A decoded file. `pixels` is uint8 [row, col, channel] with 1 or 3 channels; `alpha` uint8 [row, col] or None."""

    pixels: np.ndarray
    alpha: np.ndarray | None
    facts: dict[str, Any]

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def has_holes(self) -> bool:
        return self.alpha is not None and bool((self.alpha < 255).any())


class TooManyParts(ValueError):
    """A file of more parts than any camera or program writes."""


class FewReads(io.BytesIO):
    """A file that may be read from `MAX_READS` times."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._reads_left = MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self._reads_left -= 1
        if self._reads_left < 0:
            raise TooManyParts("it is made of too many parts")
        return super().read(size)


def decode(data: bytes, param: str, max_pixels: int) -> Upload:
    """The upload in field `param`. Raises 400 (damaged), 413 (too many pixels) or 415 (not an image we take)."""
    with checked_header(data, param, max_pixels) as image:
        facts = {
            "format": image.format,
            "width": image.width,
            "height": image.height,
            "mode": image.mode,
            "sha256": hashlib.sha256(data).hexdigest(),
        }
        upright = load(image, param)
    pixels, alpha = split(upright)
    return Upload(pixels, alpha, facts)


def check_together(files: Sequence[tuple[str, bytes]], max_pixels: int, max_together: int) -> None:
    """Look at the headers of (field, file) before any is decoded: what one file may have, all must not have each.

    Raises 413 when they have more than `max_together` pixels, and what `decode` raises of a header.
    """
    total = 0
    for param, data in files:
        with checked_header(data, param, max_pixels) as image:
            total += image.width * image.height
    if total > max_together:
        message = (
            f"The {len(files)} images have {total} pixels together; at most {max_together} are taken in one request: "
            "send fewer at once, or scale them down."
        )
        raise ApiError(Code.IMAGE_TOO_LARGE, message, param=files[0][0].partition(".")[0])


def checked_header(data: bytes, param: str, max_pixels: int) -> Image.Image:
    """The file with its header read and its pixels not; to be closed."""
    check_png(data, param, max_pixels)
    image = open_header(data, param)
    check_size(image.width, image.height, param, max_pixels)
    check_kind(image, param)
    return image


def check_png(data: bytes, param: str, max_pixels: int) -> None:
    """Before Pillow, which reads all chunks up to the pixels, and cuts 16-bit RGB down to 8 bits without a word."""
    if not data.startswith(PNG_SIGNATURE):
        return
    if len(data) < 33 or not data.startswith(PNG_START):  # Pillow would look for the header further on
        raise not_taken(param, "is a PNG that does not begin with its header")
    width, height, bit_depth = struct.unpack_from(">IIB", data, len(PNG_START))
    check_size(width, height, param, max_pixels)
    if bit_depth > 8:
        raise not_taken(param, f"has {bit_depth} bits a channel")
    if count_chunks(data, b"iCCP") > 1:  # Pillow inflates every one: 1 kB to 1 MB, in 2 ms
        raise not_taken(param, "has several colour profiles")


def count_chunks(data: bytes, wanted: bytes) -> int:
    """How many chunks of one kind a PNG has, among its first ones; Pillow reads no more."""
    count, start = 0, 8
    for _ in range(MAX_READS):
        if start + 8 > len(data):
            break
        length, kind = struct.unpack_from(">I4s", data, start)
        count += kind == wanted
        start += 12 + length
    return count


def check_size(width: int, height: int, param: str, max_pixels: int) -> None:
    if width * height > max_pixels:
        message = f"`{param}` has {width}x{height} pixels; at most {max_pixels} pixels are taken."
        raise ApiError(Code.IMAGE_TOO_LARGE, message, param=param)


def open_header(data: bytes, param: str) -> Image.Image:
    try:
        return Image.open(FewReads(data), formats=FORMATS)
    except TooManyParts:
        raise not_taken(param, "is made of too many parts") from None
    except Exception:
        # Pillow's readers have no common exception for bytes that are not what they claim to be.
        raise not_taken(param, "is not an image" if data else "is empty") from None


def check_kind(image: Image.Image, param: str) -> None:
    if image.mode not in MODES:
        raise not_taken(param, f"has colour mode {image.mode}")
    # Cameras write a second picture behind a JPEG (MPO), which moves nothing.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise not_taken(param, "is animated")


def not_taken(param: str, why: str) -> ApiError:
    message = f"`{param}` {why}; send a still 8-bit PNG, JPEG or WebP, greyscale or RGB, transparent or not."
    return ApiError(Code.UNSUPPORTED_IMAGE, message, param=param)


def load(image: Image.Image, param: str) -> Image.Image:
    """Decoded, and turned upright as its EXIF orientation says."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception as failure:
        message = f"`{param}` is a {image.format} file that cannot be decoded ({failure}): it is damaged or cut short."
        raise ApiError(Code.IMAGE_UNREADABLE, message, param=param) from None


def split(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    if image.has_transparency_data and image.mode != "LA":
        image = image.convert("RGBA")
    elif image.mode in ("1", "P", "PA"):
        image = image.convert("L" if image.mode == "1" else "RGB")
    values = np.asarray(image)
    if values.ndim == 2:
        return values[:, :, np.newaxis], None
    if values.shape[2] in (2, 4):
        return values[:, :, :-1], values[:, :, -1]
    return values, None
