"""Receipts: what is needed to draw an image, or to compute a score, again."""

import hashlib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from worker.contexts import Vector, condition_images
from worker.protocol import JobRequest


@cache  # reading it takes two milliseconds, and every image has a receipt
def software_version() -> str:
    """Scanline's version, or "unknown" when it runs from a folder that was never installed."""
    try:
        return version("scanline")
    except PackageNotFoundError:
        return "unknown"


def receipt(
    request: JobRequest, k: int, profile: str, conditioning: str | None = None, context: Vector | None = None
) -> dict[str, Any]:
    """The receipt of sample (or scored image) k.

    Args:
        profile: numeric profile of the engine that made it: results are bitwise equal within one profile.
        conditioning: for a completion, `protocol.conditioning_of` its mask.
        context: the vector or the map that the model was told, if any.
    """
    facts: dict[str, Any] = {
        "kind": request.kind,
        "model": request.model,
        "sha256": request.sha256,
        "height": request.height,
        "width": request.width,
        **_condition(request, k, context),
        "engine": profile.split("-", 1)[0],
        "profile": profile,
        "version": software_version(),
    }
    if request.kind != "score":
        facts |= {"seed": request.seed, "sample": request.sample_of(k), "temperature": request.temperature}
        facts["precision"] = request.precision
    if request.is_density:
        facts |= {"dequantisation": "uniform", "png": "the whole part, 0 to 255"}
        facts |= {"seed": request.seed, "draws": request.draws} if request.kind == "score" else {}
    if request.margin or (request.is_density and request.kind == "sample"):  # where it is left out, it may be 8
        facts["margin"] = request.margin
    if request.clip:
        facts["clip"] = request.clip
    if request.kind == "completion":
        facts |= {"known_rows": request.known_rows, "conditioning": conditioning}
    optional = {"upload": _upload(request, k), "client": request.client}
    return facts | {name: value for name, value in optional.items() if value is not None}


def _upload(request: JobRequest, k: int) -> dict[str, Any] | None:
    """Facts of the uploaded file; of a score, whose every image is a file, of that image's own."""
    upload = request.upload
    if request.kind != "score" or upload is None or "images" not in upload:
        return upload
    return {**upload, "images": [upload["images"][k]]}


def _condition(request: JobRequest, k: int, context: Vector | None) -> dict[str, Any]:
    """The condition, in a form that asks for the same image again: what came from an encoder, or lies on a path, as the
    numbers that the model was told; but of a map, which has too many, what tells its file from others."""
    condition = request.condition
    if condition is not None and context is not None and "map" in condition:
        return {"condition": {"map": _facts(condition["map"])}, "context_sha256": _sha256(context)}
    images = condition_images(condition)
    if condition is None or context is None or not (images or request.is_path or "embedding" in condition):
        return {"condition": condition}
    told: dict[str, Any] = {
        # The shortest decimals that are the same float32.
        "condition": {"embedding": [float(str(number)) for number in context]},
        "context_sha256": _sha256(context),
    }
    if images:
        told["embedded_images"] = [_facts(image) for image in images]
    if request.is_path:
        told["interpolation"] = {"step": k, "steps": request.n}
    return told


def _facts(image: dict[str, Any]) -> dict[str, Any]:
    """What a condition says of a file, but for its place among the uploads."""
    return {name: value for name, value in image.items() if name != "upload"}


def _sha256(context: Vector) -> str:
    return hashlib.sha256(context.astype("<f4").tobytes()).hexdigest()
