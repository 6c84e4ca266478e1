"""Picks the expected files out of a body, and refuses the others by name."""

import base64

from app.errors import ApiError, Code
from app.request_body import Body
from app.validation import unknown_field


def the_files(body: Body, *, required: str, optional: str) -> dict[str, bytes]:
    """One file each of the two names; `optional` may be missing."""
    refuse_others(body, [required, optional])
    for name, files in body.files.items():
        if len(files) > 1:
            raise ApiError(Code.INVALID_FIELD, f"`{name}` is given {len(files)} times; give it once.", param=name)
    if required not in body.files:
        raise missing(required)
    return {name: files[0] for name, files in body.files.items()}


def repeated_file(body: Body, name: str) -> list[bytes]:
    """One or more files under one name."""
    refuse_others(body, [name])
    if name not in body.files:
        raise missing(name)
    return body.files[name]


def refuse_others(body: Body, known: list[str]) -> None:
    for name in body.files:
        if name not in known:
            raise ApiError(Code.UNKNOWN_FIELD, unknown_field(name, known), param=name)


def missing(name: str) -> ApiError:
    return ApiError(Code.MISSING_FIELD, f"`{name}` is missing: send a PNG, JPEG or WebP file.", param=name)


def from_base64(text: str, param: str) -> bytes:
    """A file in base64, with or without the head of a data: URL."""
    try:
        return base64.b64decode(text.partition(",")[2] if text.startswith("data:") else text, validate=True)
    except ValueError:  # binascii.Error, or a character beyond ASCII
        message = f"`{param}` is not base64; send a PNG, JPEG or WebP file in base64."
        raise ApiError(Code.INVALID_FIELD, message, param=param) from None
