"""Reads a request's body, JSON or multipart, into plain fields and files. What they mean is the caller's concern."""

import json
import sys
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, NoReturn

from fastapi import Request
from starlette.datastructures import UploadFile

from app.errors import ApiError, Code
from app.validation import MAX_NAME

JSON = "application/json"
MULTIPART = "multipart/form-data"

# The largest field of text is a condition: thousands of numbers, or a small image in base64.
MAX_FORM_FIELDS = 32
MAX_FIELD_CHARACTERS = 2**20
# Each costs the parser, which stops everybody else, far more time and memory than its few bytes.
MAX_JSON_VALUES = 200_000


@dataclass(frozen=True, slots=True)
class Body:
    """`strict` is True when the fields came as JSON, whose types mean something."""

    fields: dict[str, Any]
    strict: bool
    files: dict[str, list[bytes]] = field(default_factory=dict)


async def read_body(request: Request, takes: Collection[str], max_files: int = 0) -> Body:
    """Raises 415 when the content type is not in `takes` (JSON, MULTIPART), 400 when the body does not parse."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type not in takes:
        given = f"not {content_type}" if content_type else "and name it in the Content-Type header"
        raise ApiError(
            Code.UNSUPPORTED_MEDIA_TYPE, f"Send {' or '.join(sorted(takes))}, {given}.", param="Content-Type"
        )
    if content_type == JSON:
        return Body(parse_json_object(await request.body()), strict=True)
    return await read_form(request, max_files)


def parse_json_object(text: bytes | str) -> dict[str, Any]:
    value = parse_json(text)
    if not isinstance(value, dict):
        raise ApiError(Code.MALFORMED_BODY, 'The body must be one JSON object, such as {"model": "..."}.')
    return value


def parse_json(text: bytes | str, param: str | None = None) -> Any:
    """JSON as RFC 8259 has it: unlike Python's parser, without NaN and Infinity."""
    data = text.encode() if isinstance(text, str) else text
    if sum(map(data.count, (b",", b"[", b"{"))) > MAX_JSON_VALUES:
        raise ApiError(Code.BODY_TOO_LARGE, f"JSON may hold at most {MAX_JSON_VALUES} values.", param=param)
    try:
        return json.loads(text, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as failure:
        raise ApiError(Code.MALFORMED_BODY, f"This is not valid JSON: {failure}.", param=param) from None


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number that JSON knows; numbers must be finite")


async def read_form(request: Request, max_files: int) -> Body:
    fields: dict[str, Any] = {}
    files: dict[str, list[bytes]] = {}
    # The parser would refuse a part that is too long without its name; the whole body is bounded before it.
    async with request.form(max_files=max_files, max_fields=MAX_FORM_FIELDS, max_part_size=sys.maxsize) as form:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                files.setdefault(name, []).append(await value.read())
            elif name in fields:
                raise ApiError(Code.INVALID_FIELD, f"`{name}` is given twice; give it once.", param=name)
            elif len(value) > MAX_FIELD_CHARACTERS:
                shown = name[:MAX_NAME]
                message = f"`{shown}` has {len(value)} characters; a field may have {MAX_FIELD_CHARACTERS}."
                raise ApiError(Code.BODY_TOO_LARGE, message, param=shown)
            else:
                fields[name] = value
    return Body(fields, strict=False, files=files)
