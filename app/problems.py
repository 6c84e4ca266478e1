"""Errors as answers: RFC 9457 problem+json with an OpenAI-shaped `error` inside."""

import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from app.errors import ApiError, Code
from app.validation import rejection
from worker.records import ExpiredJob, ForeignJob, UnknownJob, is_passing

log = logging.getLogger(__name__)

# Long enough for a supervisor to restart Redis or a worker, short enough that a client's automatic retry is of use.
RETRY_AFTER_S = 5


class ProblemResponse(JSONResponse):
    media_type = "application/problem+json"


def problem(error: ApiError) -> ProblemResponse:
    meaning = error.meaning
    headers = dict(error.headers)
    if meaning.status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers.setdefault("Retry-After", str(RETRY_AFTER_S))
    body = {
        "type": f"/errors#{error.code}",
        "title": meaning.title,
        "status": meaning.status,
        "detail": error.message,
        "error": {
            "message": error.message,
            "type": "server_error" if meaning.status >= 500 else "invalid_request_error",
            "param": error.param,
            "code": error.code,
        },
    }
    return ProblemResponse(body, status_code=meaning.status, headers=headers)


def install(app: FastAPI) -> None:
    app.add_exception_handler(ApiError, on_api_error)
    app.add_exception_handler(RequestValidationError, on_validation_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(UnknownJob, on_unknown_job)
    app.add_exception_handler(ExpiredJob, on_expired_job)
    app.add_exception_handler(ForeignJob, on_foreign_job)
    app.add_exception_handler(RedisError, on_store_error)
    app.add_exception_handler(Exception, on_unexpected)


def on_api_error(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, ApiError)
    return problem(error)


def on_validation_error(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)
    return problem(rejection(error.errors()))


def on_http_exception(request: Request, error: Exception) -> ProblemResponse:
    """What the framework itself refuses: no such route, wrong method, body over the limit, broken multipart."""
    assert isinstance(error, HTTPException)
    return problem(translated(request, error))


def translated(request: Request, error: HTTPException) -> ApiError:
    headers = error.headers
    match error.status_code:
        case 404:
            return ApiError(Code.NOT_FOUND, f"There is nothing at {request.url.path}; see /docs.", headers=headers)
        case 405:
            allowed = (headers or {}).get("Allow", "other methods")
            message = f"{request.url.path} does not take {request.method}; it takes {allowed}."
            return ApiError(Code.METHOD_NOT_ALLOWED, message, headers=headers)
        case status if status < 500:
            return ApiError(Code.MALFORMED_BODY, str(error.detail), headers=headers)
        case _:
            return ApiError(Code.INTERNAL, str(error.detail), headers=headers)


def on_unknown_job(request: Request, error: Exception) -> ProblemResponse:
    return problem(ApiError(Code.UNKNOWN_JOB, f"There is no job `{error}`.", param="job_id"))


def on_expired_job(request: Request, error: Exception) -> ProblemResponse:
    return problem(ApiError(Code.JOB_EXPIRED, f"The job `{error}` has expired or was deleted.", param="job_id"))


def on_foreign_job(request: Request, error: Exception) -> ProblemResponse:
    message = (
        f"The job `{error}` was written by another version of Scanline, which this one does not read. Send the request "
        "again; DELETE of the job frees its room and its Idempotency-Key."
    )
    return problem(ApiError(Code.JOB_EXPIRED, message, param="job_id"))


def on_store_error(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RedisError)
    if not is_passing(error):
        return on_unexpected(request, error)
    log.warning("%s %s: the job store failed: %s", request.method, request.url.path, error)
    # A write may have arrived although its answer did not: only an idempotency key makes a retry safe.
    message = (
        "The job store cannot be reached, or cannot write. Try again; with an Idempotency-Key nothing is done twice."
    )
    return problem(ApiError(Code.STORE_UNAVAILABLE, message))


def on_unexpected(request: Request, error: Exception) -> ProblemResponse:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(ApiError(Code.INTERNAL, "Something went wrong on our side; it has been logged."))
