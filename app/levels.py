"""From decoded pixels to a model's raw levels: size, channels, levels. Nothing is changed unless asked for."""

from typing import Any, Literal

import numpy as np
from PIL import Image

from app.catalog import shape_text
from app.errors import ApiError, Code
from app.uploads import Upload
from worker.protocol import Card

Fit = Literal["reject", "resize"]
Levels = Literal["reject", "threshold"]
Size = tuple[int, int]


def does_not_fit(card: Card, param: str, why: str, remedy: str) -> ApiError:
    message = f"`{param}` {why}, but `{card.id}` takes {shape_text(card)}: {remedy}."
    return ApiError(Code.IMAGE_DOES_NOT_FIT, message, param=param)


def to_levels(
    upload: Upload,
    card: Card,
    size: Size,
    fit: Fit,
    levels: Levels,
    param: str,
    grayscale: bool = False,
    is_resizable: bool = True,
) -> np.ndarray:
    """Raw levels, uint8 [height, width, channels], values 0 .. num_levels - 1; bytes 0 .. 255 for a density.

    `is_resizable`: whether a refusal may say that `fit=resize` helps.
    """
    pixels = to_channels(upload.pixels, card, param, grayscale)
    pixels = to_size(pixels, card, size, fit, param, is_resizable)
    return quantise(pixels, card, levels, param)


def to_channels(pixels: np.ndarray, card: Card, param: str, grayscale: bool = False) -> np.ndarray:
    """Grey given as RGB becomes one channel, grey for an RGB model three: nothing is lost. Colour is never dropped
    unasked; `grayscale` turns it into its ITU-R 601 luma."""
    if grayscale and card.channels != 1:
        message = f"`grayscale` is true, but `{card.id}` takes {shape_text(card)}: leave it out."
        raise ApiError(Code.INVALID_FIELD, message, param="grayscale")
    if pixels.shape[2] == card.channels:
        return pixels
    if card.channels == 3:
        return np.repeat(pixels, 3, axis=2)
    if (pixels == pixels[:, :, :1]).all():
        return pixels[:, :, :1]
    if grayscale:
        luma: np.ndarray = np.asarray(Image.fromarray(pixels).convert("L"))[:, :, np.newaxis]
        return luma
    raise does_not_fit(card, param, "is in colour", "send it in grey, or `grayscale=true`")


def to_size(pixels: np.ndarray, card: Card, size: Size, fit: Fit, param: str, is_resizable: bool = True) -> np.ndarray:
    height, width = size
    if pixels.shape[:2] == (height, width):
        return pixels
    if fit == "reject":
        given = f"is {pixels.shape[1]}x{pixels.shape[0]} pixels and {width}x{height} are needed"
        remedy = "send that size, or `fit=resize`" if is_resizable else "send that size"
        raise does_not_fit(card, param, given, remedy)
    return resized(pixels, size, Image.Resampling.LANCZOS)


def resized(pixels: np.ndarray, size: Size, method: Image.Resampling) -> np.ndarray:
    channels = [Image.fromarray(pixels[:, :, channel]) for channel in range(pixels.shape[2])]
    return np.stack([np.asarray(channel.resize((size[1], size[0]), method)) for channel in channels], axis=2)


def quantise(pixels: np.ndarray, card: Card, levels: Levels, param: str) -> np.ndarray:
    """The nearest of the model's levels; unless `threshold` was asked for, every pixel must be one already."""
    if card.num_levels == 256 or card.is_density:
        return pixels
    nearest = np.rint(pixels * ((card.num_levels - 1) / 255)).astype(np.uint8)
    if levels == "reject" and (to_bytes(nearest, card.num_levels) != pixels).any():
        remedy = f"send only the values {value_list(card.num_levels)}, or `levels=threshold`"
        raise does_not_fit(card, param, "has values between the model's levels", remedy)
    return nearest


def value_list(num_levels: int) -> str:
    values = [str(value) for value in to_bytes(np.arange(num_levels, dtype=np.uint8), num_levels)]
    return f"{', '.join(values[:-1])} and {values[-1]}"


def to_bytes(levels: np.ndarray, num_levels: int) -> np.ndarray:
    """Levels 0 .. num_levels - 1 as 8-bit values 0 .. 255, evenly spaced; the inverse of `quantise`.

    The floats of a density (num_levels 0), which are bytes plus noise on [0, 1), are cut to their whole part; what is
    no number, of a job that will fail for it, is black.
    """
    if num_levels == 0:
        whole: np.ndarray = np.clip(np.nan_to_num(np.floor(levels), nan=0.0), 0, 255).astype(np.uint8)
        return whole
    if num_levels == 256:
        return levels
    return np.rint(levels * (255 / (num_levels - 1))).astype(np.uint8)


def upload_facts(upload: Upload, fit: Fit, levels: Levels, grayscale: bool = False) -> dict[str, Any]:
    """What the receipt says about an uploaded file."""
    facts = {**upload.facts, "fit": fit, "levels": levels}
    return facts | {"grayscale": True} if grayscale else facts
