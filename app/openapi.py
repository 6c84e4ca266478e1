"""What FastAPI cannot derive for the OpenAPI document: bodies that we parse ourselves, and answers that are errors."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.answers import JobView, Problem
from app.errors import MEANINGS, Code

Responses = dict[int | str, dict[str, Any]]
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


class DocumentedApp(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """FastAPI's document, with every error answer as what it is: a problem document."""
        if self.openapi_schema is None:
            document = super().openapi()
            for path in document["paths"].values():
                for operation in path.values():
                    for status, answer in operation["responses"].items():
                        if int(status) >= 400:
                            answer["content"] = PROBLEM
                        if answer["description"] == "Validation Error":  # FastAPI's own, for path and query
                            answer["description"] = f"Unprocessable Content: `{Code.INVALID_FIELD}`"
            for unused in ("HTTPValidationError", "ValidationError"):
                document["components"]["schemas"].pop(unused, None)
        assert self.openapi_schema is not None
        return self.openapi_schema


def problem_responses(*codes: Code) -> Responses:
    """One entry for each status, listing the codes that come with it."""
    responses: Responses = {}
    for code in codes:
        status = MEANINGS[code].status
        entry = responses.setdefault(status, {"description": HTTPStatus(status).phrase + ":", "model": Problem})
        entry["description"] += f" `{code}`"
    return responses


SUBMIT_CODES = (
    Code.MALFORMED_BODY,
    Code.INVALID_HEADER,
    Code.UNKNOWN_MODEL,
    Code.BODY_TIMEOUT,
    Code.BODY_TOO_LARGE,
    Code.UNSUPPORTED_MEDIA_TYPE,
    Code.MISSING_FIELD,
    Code.UNKNOWN_FIELD,
    Code.INVALID_FIELD,
    Code.MODEL_REFUSED,
    Code.CONDITION_REQUIRED,
    Code.CONDITION_NOT_TAKEN,
    Code.UNKNOWN_CLASS,
    Code.UNKNOWN_TAG,
    Code.IDEMPOTENCY_KEY_REUSED,
    Code.QUEUE_FULL,
    Code.STORE_FULL,
    Code.STORE_UNAVAILABLE,
    Code.NO_WORKER,
)
UPLOAD_CODES = (
    Code.IMAGE_UNREADABLE,
    Code.IMAGE_TOO_LARGE,
    Code.UNSUPPORTED_IMAGE,
    Code.IMAGE_DOES_NOT_FIT,
    Code.DECODING_BUSY,
)

SUBMIT_ANSWERS: Responses = {
    200: {"model": JobView, "description": "The finished job: `Prefer: wait` was given and it ended in time"},
    202: {"model": JobView, "description": "The job, accepted; `Location` is its address"},
}

SUBMIT_HEADERS: list[dict[str, Any]] = [
    {
        "name": "Prefer",
        "in": "header",
        "schema": {"type": "string"},
        "example": "wait=30",
        "description": "`wait=N`: answer with the finished job if it ends within N seconds.",
    },
    {
        "name": "Idempotency-Key",
        "in": "header",
        "schema": {"type": "string", "maxLength": 255},
        "description": "The same key with the same request gives the same job, so a retry does nothing twice.",
    },
]


def file_answer(media_type: str) -> Responses:
    return {
        200: {"description": "The file", "content": {media_type: {"schema": {"type": "string", "format": "binary"}}}},
        304: {"description": "The client holds it already (`If-None-Match`)"},
    }


def submit_extra(bodies: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """`openapi_extra` of a POST; `bodies` maps each content type to its media type object."""
    return {"parameters": SUBMIT_HEADERS, "requestBody": {"required": True, "content": dict(bodies)}}


def body(model: type[BaseModel], example: dict[str, Any], files: Mapping[str, dict[str, Any]] | None = None) -> Any:
    """A media type object. `files` are parts of a form that the model does not know; the first is required."""
    schema = model.model_json_schema()
    if files:
        schema["properties"] = {**files, **schema["properties"]}
        schema["required"] = [next(iter(files)), *schema["required"]]
    return {"schema": schema, "example": example}
