"""Receipts: what is needed to draw an image, or to compute a score, again."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from worker.protocol import JobRequest


@cache  # reading it takes two milliseconds, and every image has a receipt
def software_version() -> str:
    """Scanline's version, or "unknown" when it runs from a folder that was never installed."""
    try:
        return version("scanline")
    except PackageNotFoundError:
        return "unknown"


def receipt(request: JobRequest, k: int, profile: str, conditioning: str | None = None) -> dict[str, Any]:
    """The receipt of sample (or scored image) k.

    Args:
        profile: numeric profile of the engine that made it: results are bitwise equal within one profile.
        conditioning: for a completion, `protocol.conditioning_of` its mask.
    """
    facts: dict[str, Any] = {
        "kind": request.kind,
        "model": request.model,
        "sha256": request.sha256,
        "height": request.height,
        "width": request.width,
        "condition": request.condition,
        "engine": profile.split("-", 1)[0],
        "profile": profile,
        "version": software_version(),
    }
    if request.kind != "score":
        facts |= {"seed": request.seed, "sample": k, "temperature": request.temperature}
        facts["precision"] = request.precision
    if request.kind == "completion":
        facts |= {"known_rows": request.known_rows, "conditioning": conditioning}
    optional = {"upload": request.upload, "client": request.client}
    return facts | {name: value for name, value in optional.items() if value is not None}
