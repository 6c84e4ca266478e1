"""Which pixels of a completion are kept: 1 = known, 0 = to be drawn."""

import numpy as np
from PIL import Image

from app.errors import ApiError, Code
from app.levels import Fit, Size, resized
from app.uploads import Upload


def kept_by_mask(mask: Upload) -> np.ndarray:
    """bool [row, col]. Transparent or dark (below half) is drawn; opaque and light is kept."""
    light: np.ndarray = mask.pixels.max(axis=2) >= 128
    return light if mask.alpha is None else light & (mask.alpha >= 128)


def kept_by_alpha(image: Upload) -> np.ndarray:
    """bool [row, col]: where the image itself is opaque."""
    assert image.alpha is not None
    return image.alpha >= 128


def fitted(kept: np.ndarray, image: Upload, size: Size, fit: Fit, param: str) -> bytes:
    """The mask that travels with the job, height * width bytes of the model's image.

    A mask has the size of the image it belongs to; it is resized with it. Raises 422 when no pixel is left to draw.
    """
    if kept.shape != (image.height, image.width):
        message = (
            f"`{param}` is {kept.shape[1]}x{kept.shape[0]} pixels, `image` is {image.width}x{image.height}: "
            "they must be of one size."
        )
        raise ApiError(Code.IMAGE_DOES_NOT_FIT, message, param=param)
    levels = kept.astype(np.uint8)[:, :, np.newaxis]
    if kept.shape != size:
        assert fit == "resize"
        levels = resized(levels, size, Image.Resampling.NEAREST)
    if levels.all():
        raise ApiError(
            Code.NOTHING_TO_DRAW, f"`{param}` keeps every pixel; mark some as transparent or 0.", param=param
        )
    return levels.tobytes()
