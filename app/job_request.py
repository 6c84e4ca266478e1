"""From validated fields and a card to the request that goes into the job's record."""

import secrets
from typing import Any

from app.conditions import resolve
from app.errors import ApiError, Code
from app.levels import Size
from app.request_models import DrawFields, SampleFields
from app.settings import Settings
from worker.protocol import Card, JobRequest


def sample_request(card: Card, fields: SampleFields, settings: Settings) -> JobRequest:
    size = sample_size(card, fields, settings)
    return JobRequest(kind="sample", **shape_of(card, size), **drawing(card, fields, settings))


def shape_of(card: Card, size: Size) -> dict[str, Any]:
    return {
        "model": card.id,
        "sha256": card.sha256,
        "height": size[0],
        "width": size[1],
        "channels": card.channels,
        "num_levels": card.num_levels,
    }


def drawing(card: Card, fields: DrawFields, settings: Settings) -> dict[str, Any]:
    """The members of a JobRequest that samples and completions share."""
    if fields.n > settings.max_samples:
        message = f"`n` is {fields.n}; 1 to {settings.max_samples} images can be asked for at once."
        raise ApiError(Code.INVALID_FIELD, message, param="n")
    if fields.temperature > settings.max_temperature:
        message = f"`temperature` is {fields.temperature}; it must be above 0 and at most {settings.max_temperature}."
        raise ApiError(Code.INVALID_FIELD, message, param="temperature")
    if fields.precision not in card.precisions:
        offered = " or ".join(card.precisions)
        message = f"`precision` is {fields.precision}, but no worker draws `{card.id}` so; it is drawn in {offered}."
        raise ApiError(Code.INVALID_FIELD, message, param="precision")
    return {
        "n": fields.n,
        "seed": drawn_seed() if fields.seed is None else fields.seed,
        "temperature": fields.temperature,
        "condition": resolve(card, fields.condition),
        "precision": fields.precision,
    }


def drawn_seed() -> int:
    """Below 2^53, so that a client whose only number is a double can send it back."""
    return secrets.randbelow(2**53)


def sample_size(card: Card, fields: SampleFields, settings: Settings) -> Size:
    """(height, width): the bundle's own, or for a bundle of any size the one asked for."""
    height = agreed(card, "height", card.height, fields.height)
    width = agreed(card, "width", card.width, fields.width)
    check_pixels(height, width, settings, "height")
    return height, width


def agreed(card: Card, name: str, fixed: int | None, asked: int | None) -> int:
    if fixed is not None and asked in (None, fixed):
        return fixed
    if fixed is not None:
        raise ApiError(
            Code.INVALID_FIELD, f"`{name}` is {asked}, but `{card.id}` draws {name} {fixed} only.", param=name
        )
    if asked is None:
        raise ApiError(
            Code.MISSING_FIELD, f"`{name}` is missing: `{card.id}` draws any size, so say which.", param=name
        )
    return asked


def image_size(card: Card, height: int, width: int, settings: Settings, param: str) -> Size:
    """(height, width) of an uploaded image as the model will see it."""
    size = (card.height or height, card.width or width)
    check_pixels(*size, settings, param)
    return size


def check_pixels(height: int, width: int, settings: Settings, param: str) -> None:
    if max(height, width) > settings.max_image_side:
        message = f"{width}x{height} pixels: no side of an image may have more than {settings.max_image_side}."
        raise ApiError(Code.INVALID_FIELD, message, param=param)
    if height * width > settings.max_image_pixels:
        message = f"{width}x{height} pixels are too many to draw or score; at most {settings.max_image_pixels} are."
        raise ApiError(Code.INVALID_FIELD, message, param=param)
