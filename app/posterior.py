"""`sweeps` of a completion: what can be drawn from the posterior given every kept pixel, and up to which size.

A hole that ends the raster needs none: drawing it in order already conditions on all that is kept. Any other is drawn
once and then swept by Metropolis within Gibbs, each update a pass over the image.
"""

import math

import numpy as np

from app.errors import ApiError, Code
from app.levels import Size
from app.request_models import CompletionFields
from app.settings import Settings
from worker.protocol import Card, conditioning_of


def check_sweeps(card: Card, fields: CompletionFields, settings: Settings, size: Size, mask: bytes | None) -> None:
    """Raises 422 for a model, a hole or a size that is not swept. `mask`: as it travels; None when rows are kept."""
    check_model(card, fields)
    if fields.sweeps > settings.max_sweeps:
        message = f"`sweeps` is {fields.sweeps}; a job may have {settings.max_sweeps}."
        raise refused(message, "sweeps")
    if mask is None or conditioning_of(mask, is_chain=False) == "exact":
        where = "below kept rows" if mask is None else "in a hole with nothing kept after it"
        message = f"Leave `sweeps` out: what is drawn {where} already is a sample of the posterior."
        raise refused(message, "sweeps")
    check_sides(size, settings.max_swept_side, "an image")
    hole = hole_size(mask, size)
    check_sides(hole, settings.max_hole_side, "the box around a hole")
    check_work(fields, num_updates(hole) * size[0] * size[1], settings.max_swept_pixels)


def check_model(card: Card, fields: CompletionFields) -> None:
    """The posterior is that of the model as it is."""
    if card.coarse_level:
        message = f"`{card.id}` knows only a bound on log p, so its holes have no exact posterior: leave `sweeps` out."
        raise refused(message, "sweeps")
    if fields.temperature != 1:
        message = f"`temperature` is {fields.temperature}, but `sweeps` draw from the model's own posterior, at 1 only."
        raise refused(message, "temperature")
    if fields.clip:
        message = "`clip` is true, but `sweeps` draw from the model's own posterior, without limits: leave it out."
        raise refused(message, "clip")


def check_sides(size: Size, most: int, what: str) -> None:
    height, width = size
    if max(height, width) > most:
        message = f"{width}x{height} pixels: {what} that is swept may have at most {most}x{most}; leave `sweeps` out."
        raise refused(message, "sweeps")


def check_work(fields: CompletionFields, sweep_pixels: int, most: int) -> None:
    """`sweep_pixels`: that one sweep of one chain passes over."""
    if fields.n * fields.sweeps * sweep_pixels > most:
        message = (
            f"{fields.sweeps} `sweeps` of {fields.n} images pass over {sweep_pixels} pixels each, and a job over at "
            f"most {most}: {most // sweep_pixels} sweeps for all images together."
        )
        raise refused(message, "sweeps")


def refused(message: str, param: str) -> ApiError:
    return ApiError(Code.INVALID_FIELD, message, param=param)


def num_updates(hole: Size) -> int:
    """Updates of a sweep, each a pass over the image: blocks of 5x5 pixels, 3 apart, cover the box around the hole."""
    rows, columns = (max(1, math.ceil((side - 2) / 3)) for side in hole)
    return rows * columns


def hole_size(mask: bytes, size: Size) -> Size:
    """(height, width) of the smallest rectangle around what is drawn."""
    hole = np.frombuffer(mask, np.uint8).reshape(size) == 0
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    return int(rows[-1] - rows[0]) + 1, int(columns[-1] - columns[0]) + 1
