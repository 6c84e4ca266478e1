"""A job as it stands in the store, read back as a value."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from worker.errors import ForeignJob
from worker.protocol import JobRequest, ProtocolError, State, decode

Items = Sequence[bytes]
"""A hash as a script returns it: names and values in turn."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Positions drawn or scored so far, of `total`; `rows[k]` counts the finished rows of sample k: of a Markov
    chain, all of its canvas as soon as it has begun."""

    done: int
    total: int
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One snapshot. Times are seconds since 1970; `expires_at` moves to finish + lifetime when the job ends.

    `samples` holds the result of each finished sample, in order of `sample`; `result` what is common to them, once all
    are done; `error` {code, message} of a failed job; `queue_position` counts the jobs ahead in the bundle's queue;
    `embedded`: see `leases.Claim`.
    """

    id: str
    request: JobRequest
    state: State
    attempt: int
    created_at: float
    started_at: float | None
    finished_at: float | None
    expires_at: float
    progress: Progress
    samples: list[dict[str, Any]]
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    cancel_requested: bool
    queue_position: int | None
    worker: str | None
    embedded: bytes | None = None


def read_record(job_id: str, job_items: Items, sample_items: Items, rank: int | None) -> JobRecord:
    """Build a record from the hashes `job:{id}` and `job:{id}:samples`, and the place in line.

    Raises ForeignJob.
    """
    job, samples = _hash(job_items), _hash(sample_items)
    try:
        request = decode(JobRequest, job[b"request"])
    except ProtocolError as error:
        raise ForeignJob(job_id) from error
    results = [json.loads(text) for field, text in samples.items() if field.startswith(b"result:")]
    rows = tuple(min(request.canvas_height, int(samples.get(b"rows:%d" % k, 0))) for k in range(request.n))
    return JobRecord(
        id=job_id,
        request=request,
        state=job[b"state"].decode(),  # type: ignore[arg-type]
        attempt=int(job[b"attempt"]),
        created_at=int(job[b"created_at"]) / 1000,
        started_at=_seconds(job.get(b"started_at")),
        finished_at=_seconds(job.get(b"finished_at")),
        expires_at=int(job[b"expires_at"]) / 1000,
        progress=Progress(int(job[b"done"]), int(job[b"total"]), rows),
        samples=sorted(results, key=lambda result: int(result["sample"])),
        result=_document(job.get(b"result")),
        error=_document(job.get(b"error")),
        cancel_requested=job[b"cancel"] == b"1",
        queue_position=rank,
        worker=job[b"worker"].decode() if b"worker" in job else None,
        embedded=job.get(b"embedded"),
    )


def _hash(items: Items) -> dict[bytes, bytes]:
    return dict(zip(items[::2], items[1::2], strict=True))


def _seconds(milliseconds: bytes | None) -> float | None:
    return None if milliseconds is None else int(milliseconds) / 1000


def _document(text: bytes | None) -> dict[str, Any] | None:
    return None if text is None else dict(json.loads(text))
