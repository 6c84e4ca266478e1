"""The job store as the HTTP process sees it: create, look at, cancel, delete; and what the workers publish.

Synchronous and thread-safe. The record is the truth; the Celery message that follows it is a hint that may be lost or
doubled without harm.
"""

import contextlib
import functools
import json
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from redis import Redis

from worker import lua
from worker.broker_queues import num_messages
from worker.errors import (
    ExpiredJob,
    ForeignJob,
    IdempotencyMismatch,
    Overloaded,
    QueueFull,
    RecordsError,
    StoreFull,
    UnknownJob,
)
from worker.job_record import JobRecord, Progress, read_record
from worker.protocol import STATES, Card, JobRequest, Precision, ProtocolError, State, WorkerReport, decode, encode
from worker.store import PREFIX, Limits, connect, is_passing
from worker.sweeps import TOLD_SWEEPS

__all__ = [
    "ExpiredJob",
    "ForeignJob",
    "IdempotencyMismatch",
    "JobRecord",
    "Limits",
    "Overloaded",
    "Progress",
    "QueueFull",
    "Records",
    "RecordsError",
    "StoreFull",
    "UnknownJob",
    "connect",
    "is_passing",
]

# A float32 in decimals, and the comma after it.
DECIMAL_BYTES = 16
# A float64 in decimals, and what separates it; of a row in an event, what is beside its pixels.
NUMBER_BYTES, ROW_EVENT_BYTES = 24, 48
# What a score says of a class, beside its name: its place and four numbers.
CLASS_BYTES = 192
# An event that tells no rows, and about how many of them `lua_prelude` keeps.
EVENT_BYTES, MAX_EVENTS = 96, 1100


class Records:
    """Jobs and reports in one Redis."""

    def __init__(self, client: "Redis", limits: Limits) -> None:
        self.client, self.limits = client, limits

    def create(
        self,
        request: JobRequest,
        uploads: list[bytes],
        mask: bytes | None = None,
        idempotency: tuple[str, str] | None = None,
        classes: Sequence[str] = (),
    ) -> tuple[JobRecord, bool]:
        """Write the record, its uploads and its `queued` event in one step; send the message afterwards.

        Args:
            idempotency: (key, fingerprint of the request). The same pair again returns the first job.
            classes: names of those that each image of a score is told about.

        Returns:
            The job, and whether this call created it.

        Raises:
            QueueFull, StoreFull, IdempotencyMismatch, ForeignJob (the key is bound to one).
        """
        job_id = secrets.token_hex(12)
        key, fingerprint = idempotency or ("", "")
        outcome, bound_id, found = self._run(
            lua.CREATE,
            *(job_id, encode(request), request.model, request.n, request.canvas_width, request.total_pixels),
            reserved_bytes(request, uploads, mask, classes),
            *(self.limits.max_queue, self.limits.max_bytes, self.limits.lifetime_ms),
            *(key, fingerprint, mask or b"", *uploads),
        )
        if outcome == b"queue_full":
            raise QueueFull(f"{self.limits.max_queue} jobs are waiting")
        if outcome == b"store_full":
            raise StoreFull("no room for this job's images until older jobs expire")
        if outcome == b"mismatch":
            raise IdempotencyMismatch(key)
        return read_record(bound_id.decode(), *found), outcome == b"created"

    def get(self, job_id: str) -> JobRecord:
        """Raises UnknownJob, ExpiredJob or ForeignJob."""
        _check(job_id)
        found = self._run(lua.READ, job_id)
        if found[0]:
            return read_record(job_id, *found)
        if self.client.exists(f"{PREFIX}tomb:{job_id}"):
            raise ExpiredJob(job_id)
        raise UnknownJob(job_id)

    def list_jobs(
        self, status: State | None = None, limit: int = 20, cursor: str | None = None
    ) -> tuple[list[JobRecord], str | None]:
        """Newest first, without what is known of single samples: `samples` is empty and `progress.rows` 0. Jobs of
        another version are left out.

        `cursor` is what the call before returned; ValueError if it is not.
        """
        index = PREFIX + (f"state:{status}" if status else "jobs")
        below = f"({int(cursor)}" if cursor else "+inf"
        found: list[Any] = self.client.zrevrangebyscore(index, below, "-inf", start=0, num=limit + 1, withscores=True)
        page = found[:limit]
        ids = [job_id.decode() for job_id, _ in page]
        outlines = zip(ids, self._run(lua.OUTLINES, *ids), strict=True)
        next_cursor = str(int(page[-1][1])) if len(found) > limit else None
        records: list[JobRecord] = []
        for job_id, outline in outlines:
            with contextlib.suppress(ForeignJob):
                if outline[0]:
                    records.append(read_record(job_id, *outline))
        return records, next_cursor

    def cancel(self, job_id: str) -> JobRecord:
        """A queued job ends now, a running one within a flush of its worker; an ended one stays as it is.

        Raises what `get` does; a ForeignJob is canceled all the same.
        """
        _check(job_id)
        self._run(lua.CANCEL, job_id, self.limits.lifetime_ms)
        return self.get(job_id)

    def delete(self, job_id: str) -> None:
        """Cancel if live, remove all data. Raises UnknownJob; deleting twice is no error."""
        _check(job_id)
        if not self._run(lua.DELETE, job_id, self.limits.lifetime_ms):
            raise UnknownJob(job_id)

    def canvas(self, job_id: str, k: int) -> bytes:
        """The finished rows of the canvas of sample k, [rows, canvas width, channels]; empty when there are none.

        uint8 levels, or float32 little-endian of a density.
        """
        return self.client.get(f"{PREFIX}job:{job_id}:canvas:{k}") or b""  # type: ignore[return-value]

    def canvas_rows(self, job_id: str, k: int, request: JobRequest, rows: range) -> bytes:
        """Some rows of that canvas; fewer where there are no more."""
        start, stop = rows.start * request.row_bytes, rows.stop * request.row_bytes
        return self.client.getrange(f"{PREFIX}job:{job_id}:canvas:{k}", start, stop - 1)  # type: ignore[return-value]

    def score_map(self, job_id: str, k: int) -> bytes | None:
        """log p of every sub-pixel of image k in nats: float32 little-endian [height, width, channels]."""
        return self.client.get(f"{PREFIX}job:{job_id}:map:{k}")  # type: ignore[return-value]

    def events_key(self, job_id: str) -> str:
        """The stream to XREAD: fields `type` and `data` (JSON). It is gone when the job is."""
        return f"{PREFIX}job:{job_id}:events"

    def workers(self) -> list[WorkerReport]:
        """The reports of all live workers, by worker."""
        reports: list[WorkerReport] = []
        for text in self._run(lua.REPORTS):
            # A worker of another version does not keep the others from being seen.
            with contextlib.suppress(ProtocolError):
                reports.append(_report(text))
        return sorted(reports, key=lambda report: report.worker)

    def published(self) -> list[Card]:
        """One card a bundle, by id: admitted rather than refused, then the freshest.

        Its precisions are those of all workers that offer the same weights.
        """
        best: dict[str, tuple[bool, float, Card]] = {}
        offered: dict[tuple[str, str], set[Precision]] = {}
        for report in self.workers():
            for card in report.cards:
                entry = (card.status == "admitted", report.heartbeat_at, card)
                offered.setdefault((card.id, card.sha256), set()).update(card.precisions)
                if card.id not in best or entry[:2] > best[card.id][:2]:
                    best[card.id] = entry
        cards = [best[name][2] for name in sorted(best)]
        return [replace(card, precisions=sorted(offered[card.id, card.sha256], reverse=True)) for card in cards]

    def num_messages(self, model: str) -> int:
        """Messages that wait for a model's workers, of deleted jobs, too."""
        return num_messages(self.client, model)

    def counts(self) -> dict[str, Any]:
        """For metrics: {"jobs": {state: count}, "bytes": reserved, "queued": {model: count}}."""
        names: set[bytes] = self.client.smembers(f"{PREFIX}queues")  # type: ignore[assignment]
        models = sorted(name.decode() for name in names)
        pipe = self.client.pipeline()
        for state in STATES:
            pipe.zcard(f"{PREFIX}state:{state}")
        for model in models:
            pipe.zcard(f"{PREFIX}queue:{model}")
        pipe.get(f"{PREFIX}bytes")
        *counts, used = pipe.execute()
        by_state = dict(zip(STATES, counts, strict=False))
        return {
            "jobs": by_state,
            "bytes": int(used or 0),
            "queued": dict(zip(models, counts[len(STATES) :], strict=True)),
        }

    def _run(self, script: str, *args: Any) -> Any:
        return self.client.eval(script, 0, *args)


def _check(job_id: str) -> None:
    """Anything may be asked for; `{id}:events` would name another key of a job."""
    if not job_id.isalnum():
        raise UnknownJob(job_id)


@functools.lru_cache(maxsize=64)  # it is read with every request and changes with every heartbeat
def _report(text: bytes) -> WorkerReport:
    return decode(WorkerReport, text)


def reserved_bytes(request: JobRequest, uploads: list[bytes], mask: bytes | None, classes: Sequence[str] = ()) -> int:
    """What a job may come to occupy, counted when it is accepted: one that is accepted never runs out of room.

    A drawn image is kept as levels and passes through the event stream in base64, that of a Markov chain many times;
    each result takes about 1 KiB and, twice, what its receipt tells of the condition, or a score of every class.
    """
    given = sum(map(len, uploads)) + len(mask or b"")
    if request.kind == "score":
        kept = 4 * request.n * request.num_dims if request.per_pixel else 0
    else:
        kept = request.n * request.canvas_bytes * 7 // 3 + _told_rows_bytes(request) + _swept_bytes(request, mask)
    told = _told_bytes(request.condition) + sum(CLASS_BYTES + len(json.dumps(name)) for name in classes)
    return given + kept + (2048 + 2 * told) * (request.n + 2)


def _told_rows_bytes(request: JobRequest) -> int:
    """What events say beside the pixels of rows, most of it for narrow images; a slow model has an event a row."""
    rows = request.n * request.canvas_height
    return rows * ROW_EVENT_BYTES + EVENT_BYTES * min(rows, MAX_EVENTS)


def _swept_bytes(request: JobRequest, mask: bytes | None) -> int:
    """What Markov chains tell: rows of their holes; traces, in a result (till then, kept for a resume) and in an event;
    and how far they are, in an event a flush, if sweeps are slow."""
    if mask is None:
        rows = request.height - (request.known_rows or 0)
    else:
        rows = sum(b"\0" in mask[start : start + request.width] for start in range(0, len(mask), request.width))
    tales = min(request.sweeps, TOLD_SWEEPS)
    told = tales * rows * (request.row_bytes * 4 // 3 + ROW_EVENT_BYTES) + 2 * NUMBER_BYTES * request.sweeps
    return request.n * told + EVENT_BYTES * min(request.n * request.sweeps, MAX_EVENTS)


def _told_bytes(condition: dict[str, Any] | None) -> int:
    """A condition in a receipt: as it came, and the numbers of an embedding in decimals."""
    if condition is None:
        return 0
    parts = [condition, *(part for part in condition.get("interpolate", {}).values() if isinstance(part, dict))]
    numbers = max(len(part.get("embedding", ())) or part.get("image", {}).get("numbers", 0) for part in parts)
    return len(json.dumps(condition)) + DECIMAL_BYTES * numbers
