"""The one way into the queue: record first, message second, and the answer now or after a wait."""

import asyncio
import hashlib
import json
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from app import headers
from app.errors import ApiError, Code
from app.job_view import job_view
from app.services import Services
from worker.protocol import TERMINAL_STATES, JobRequest
from worker.records import IdempotencyMismatch, JobRecord, QueueFull, StoreFull


@dataclass(frozen=True, slots=True)
class Submission:
    """A job to be, with its blobs. `fingerprint` tells whether two requests ask for the same; `classes`: names of those
    that each image of a score is told about."""

    request: JobRequest
    fingerprint: str
    uploads: list[bytes] = field(default_factory=list)
    mask: bytes | None = None
    classes: Sequence[str] = ()


def fingerprint(kind: str, fields: dict[str, Any], *files: bytes) -> str:
    """Over the fields as parsed (a seed that was left out counts as left out) and the files as sent."""
    digests = [hashlib.sha256(file).hexdigest() for file in files]
    return hashlib.sha256(json.dumps([kind, fields, digests], sort_keys=True).encode()).hexdigest()


async def submit(request: Request, services: Services, submission: Submission) -> Response:
    """202 with the job, or 200 with the finished job when `Prefer: wait` asks for it and it ends in time."""
    key = headers.idempotency_key(request.headers.get("idempotency-key"))
    wait_s = headers.wait_preference(",".join(request.headers.getlist("prefer")), services.settings.max_wait_s)
    record = await run_in_threadpool(enqueue, services, submission, key)
    answer_headers = {"Location": f"/v1/jobs/{record.id}"}
    if wait_s is not None:
        answer_headers["Preference-Applied"] = f"wait={wait_s:.0f}"
        record = await after_wait(services, record, wait_s)
    finished = wait_s is not None and record.state in TERMINAL_STATES
    return JSONResponse(
        job_view(record).model_dump(mode="json"), status_code=200 if finished else 202, headers=answer_headers
    )


def enqueue(services: Services, submission: Submission, key: str | None) -> JobRecord:
    binding = None if key is None else (key, submission.fingerprint)
    try:
        record, created = services.records.create(
            submission.request, submission.uploads, submission.mask, binding, submission.classes
        )
    except QueueFull as refusal:
        raise ApiError(Code.QUEUE_FULL, f"The queue is full ({refusal}); try again soon.") from None
    except StoreFull as refusal:
        raise ApiError(Code.STORE_FULL, f"The store is full: {refusal}. Deleting jobs makes room.") from None
    except IdempotencyMismatch:
        message = f"The Idempotency-Key {key!r} belongs to another request; use a new key for a new request."
        raise ApiError(Code.IDEMPOTENCY_KEY_REUSED, message, param="Idempotency-Key") from None
    if created:
        services.dispatcher.send(record.id, record.request.model)
    return record


async def after_wait(services: Services, record: JobRecord, timeout_s: float) -> JobRecord:
    """The job when it has ended, or as it stands after `timeout_s`, or as it was when the server stops."""
    try:
        async with aclosing(services.feed.follow(record.id, timeout_s=timeout_s)) as batches:
            async for _ in batches:
                pass
        return await run_in_threadpool(services.records.get, record.id)
    except asyncio.CancelledError:
        # Only a stopping server cancels a request, and there is no time left to ask the store. The job lives on, so
        # its client is still to hear of it.
        task = asyncio.current_task()
        assert task is not None
        task.uncancel()
        return record
