"""The request headers that this API reads: Prefer (RFC 7240), Idempotency-Key, If-None-Match, Last-Event-ID."""

import re

from app.errors import ApiError, Code

MAX_IDEMPOTENCY_KEY = 255
# ASCII: Redis knows no other digits, and refuses a read that names them. All jobs share one read.
EVENT_ID = re.compile(r"\d{1,20}(-\d{1,20})?", re.ASCII)
# Both halves are 64-bit numbers; a larger one would end that read too.
MAX_ID_PART = 2**64 - 1


def wait_preference(prefer: str | None, max_wait_s: float) -> float | None:
    """Seconds of `Prefer: wait=N`, at most `max_wait_s`; None without it. What is not understood is ignored."""
    for preference in (prefer or "").split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        value = value.strip().strip('"')
        if name.strip().lower() == "wait" and value.isascii() and value.isdigit():
            return min(float(value), max_wait_s)
    return None


def idempotency_key(value: str | None) -> str | None:
    if value is None:
        return None
    if not 1 <= len(value) <= MAX_IDEMPOTENCY_KEY or not value.isprintable():
        message = f"Idempotency-Key must be 1 to {MAX_IDEMPOTENCY_KEY} printable characters."
        raise ApiError(Code.INVALID_HEADER, message, param="Idempotency-Key")
    return value


def event_id(value: str, param: str) -> str:
    """An event's id, as the events carry it; `0` is the beginning."""
    if EVENT_ID.fullmatch(value) is None or any(int(part) > MAX_ID_PART for part in value.split("-")):
        raise ApiError(
            Code.INVALID_HEADER, f"{param} must be the `id` of an event, such as 1700000000000-0, or 0.", param=param
        )
    return value


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether the client holds the representation already (weak comparison, RFC 9110 13.1.2)."""
    held = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return "*" in held or etag in held
