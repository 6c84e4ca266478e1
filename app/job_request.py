"""From validated fields and a card to the request that goes into the job's record."""

import secrets
from typing import Any

from app.condition_images import ConditionImages
from app.conditions import conditioning_kind, resolve, resolve_path
from app.errors import ApiError, Code
from app.levels import Size
from app.request_models import DrawFields, SampleFields, ScoreFields
from app.settings import Settings
from worker.protocol import Card, JobRequest

# What the authors of RIDE cut off their textures.
DEFAULT_MARGIN = 8


def sample_request(card: Card, fields: SampleFields, settings: Settings) -> tuple[JobRequest, list[bytes]]:
    """The job and its uploads: the images of its condition."""
    size = sample_size(card, fields, settings)
    margin = sample_margin(card, fields)
    if fields.margin:  # the default one is small beside any bound
        check_pixels(size[0] + margin, size[1] + 2 * margin, settings, "margin")
    images = ConditionImages(card, settings.max_upload_pixels, size)
    drawn = drawing(card, fields, settings, images)
    job = JobRequest(kind="sample", **shape_of(card, size), **drawn, margin=margin)
    return job, images.blobs


def path_or_condition(card: Card, fields: DrawFields, settings: Settings, images: ConditionImages) -> dict[str, Any]:
    """`condition` and `n` of a JobRequest; a path takes the place of both."""
    path = fields.interpolate if isinstance(fields, SampleFields) else None
    if path is None:
        return {"n": fields.n, "condition": resolve(card, fields.condition, images)}
    for name, is_given in (("condition", fields.condition is not None), ("n", fields.n != 1)):
        if is_given:
            message = f"Give `{name}` or `interpolate`, not both: a path says what its images are, and how many."
            raise ApiError(Code.INVALID_FIELD, message, param=name)
    condition = resolve_path(card, path, images, settings.max_samples)
    return {"n": condition["interpolate"]["steps"], "condition": condition}


def shape_of(card: Card, size: Size) -> dict[str, Any]:
    return {
        "model": card.id,
        "sha256": card.sha256,
        "height": size[0],
        "width": size[1],
        "channels": card.channels,
        "num_levels": card.num_levels,
        "coarse_level": card.coarse_level,
    }


def drawing(card: Card, fields: DrawFields, settings: Settings, images: ConditionImages) -> dict[str, Any]:
    """The members of a JobRequest that samples and completions share; images of the condition go into `images`."""
    if fields.n > settings.max_samples:
        message = f"`n` is {fields.n}; 1 to {settings.max_samples} images can be asked for at once."
        raise ApiError(Code.INVALID_FIELD, message, param="n")
    if fields.temperature > settings.max_temperature:
        message = f"`temperature` is {fields.temperature}; it must be above 0 and at most {settings.max_temperature}."
        raise ApiError(Code.INVALID_FIELD, message, param="temperature")
    if card.is_density and fields.temperature != 1:
        message = f"`temperature` is {fields.temperature}, but `{card.id}` is a density, which is drawn at 1 only."
        raise ApiError(Code.INVALID_FIELD, message, param="temperature")
    if fields.precision not in card.precisions:
        offered = " or ".join(card.precisions)
        message = f"`precision` is {fields.precision}, but no worker draws `{card.id}` so; it is drawn in {offered}."
        raise ApiError(Code.INVALID_FIELD, message, param="precision")
    return {
        **path_or_condition(card, fields, settings, images),
        "seed": drawn_seed() if fields.seed is None else fields.seed,
        "temperature": fields.temperature,
        "precision": fields.precision,
        "clip": clip_limits(card, fields),
    }


def clip_limits(card: Card, fields: DrawFields) -> list[float] | None:
    if not fields.clip:
        return None
    if card.pixels is None:
        message = f"`clip` is true, but `{card.id}` draws levels, which need no clipping: leave it out."
        raise ApiError(Code.INVALID_FIELD, message, param="clip")
    return [card.pixels["low"], card.pixels["high"]]


def noise(card: Card, fields: ScoreFields) -> dict[str, Any]:
    """The members of a JobRequest that say how bytes are dequantised: of no meaning for a model of levels."""
    if card.is_density:
        return {"seed": drawn_seed() if fields.seed is None else fields.seed, "draws": fields.draws or 1}
    for name in ("seed", "draws"):
        if getattr(fields, name) is not None:
            message = f"`{name}` is given, but `{card.id}` scores levels exactly, without noise: leave it out."
            raise ApiError(Code.INVALID_FIELD, message, param=name)
    return {}


def drawn_seed() -> int:
    """Below 2^53, so that a client whose only number is a double can send it back."""
    return secrets.randbelow(2**53)


def sample_size(card: Card, fields: SampleFields, settings: Settings) -> Size:
    """(height, width): the bundle's own, or for a bundle of any size the one asked for."""
    height = agreed(card, "height", card.height, fields.height)
    width = agreed(card, "width", card.width, fields.width)
    check_pixels(height, width, settings, "height")
    return height, width


def sample_margin(card: Card, fields: SampleFields) -> int:
    """The one asked for; else for a density of any size `DEFAULT_MARGIN`, and for everything else none."""
    is_any_size = card.height is None and card.width is None
    if fields.margin is None:
        return DEFAULT_MARGIN if card.is_density and is_any_size else 0
    if fields.margin and not is_any_size:
        message = f"`margin` is {fields.margin}, but `{card.id}` draws whole images of one size: leave it out."
        raise ApiError(Code.INVALID_FIELD, message, param="margin")
    if fields.margin and conditioning_kind(card) == "map":
        message = f"`margin` is {fields.margin}, but `{card.id}` is told a map of just the image: leave it out."
        raise ApiError(Code.INVALID_FIELD, message, param="margin")
    return fields.margin


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
