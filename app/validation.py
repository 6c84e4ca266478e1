"""Turns pydantic's findings into an ApiError that names the field and says what would be right."""

import difflib
import reprlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from app.errors import ApiError, Code

Model = TypeVar("Model", bound=BaseModel)

# Anybody may send a million fields, or a name as long as the body; whoever serves everybody else reads them.
MAX_FIELDS = 32
MAX_NAME = 100

CODES = {"missing": Code.MISSING_FIELD, "extra_forbidden": Code.UNKNOWN_FIELD}


def validated(model: type[Model], fields: Mapping[str, Any], *, strict: bool) -> Model:
    """`fields` as a `model`. `strict` for JSON, where 7 and "7" differ; a form knows only text."""
    if len(fields) > MAX_FIELDS:
        message = f"{len(fields)} fields are given. This request takes: {', '.join(public_names(model))}."
        raise ApiError(Code.UNKNOWN_FIELD, message)
    try:
        return model.model_validate(dict(fields), strict=strict)
    except ValidationError as failure:
        raise rejection(failure.errors(include_url=False), known=public_names(model)) from None


def public_names(model: type[BaseModel]) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def rejection(findings: Sequence[Mapping[str, Any]], known: Iterable[str] = ()) -> ApiError:
    """The first finding, as the error of the whole request; the message lists the others after it."""
    first = findings[0]
    message = " ".join(describe(finding, list(known)) for finding in findings)
    return ApiError(CODES.get(first["type"], Code.INVALID_FIELD), message, param=field_name(first))


def field_name(finding: Mapping[str, Any]) -> str:
    """FastAPI puts the part of the request ('query', 'path', ...) first; a body's field stands alone.

    A longer name than any of ours is cut short."""
    location = [str(part) for part in finding["loc"]]
    if len(location) > 1 and location[0] in ("query", "path", "header", "body"):
        location = location[1:]
    return ".".join(location)[:MAX_NAME]


def describe(finding: Mapping[str, Any], known: list[str]) -> str:
    name = field_name(finding)
    if finding["type"] == "missing":
        return f"`{name}` is missing."
    if finding["type"] == "extra_forbidden":
        return unknown_field(name, known)
    message = str(finding["msg"]).removeprefix("Value error, ")
    return f"`{name}` is {reprlib.repr(finding['input'])}: {message[0].lower()}{message[1:]}."


def unknown_field(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    guess = f" Did you mean `{near[0]}`?" if near else ""
    takes = f" This request takes: {', '.join(known)}." if known else ""
    return f"`{name}` is not a known field.{guess}{takes}"
