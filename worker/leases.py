"""The job store as a worker sees it: claim a job under a lease, append to it, end it, free what others left behind."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from redis import Redis
from redis.exceptions import ResponseError

from worker import lua
from worker.job_record import read_record
from worker.protocol import JobRequest, State, WorkerReport, encode
from worker.store import PREFIX, Limits, is_passing

log = logging.getLogger(__name__)

MAX_FRUITLESS_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Claim:
    """A job that is ours as long as `attempt` is its attempt number.

    `canvases[k]` holds the rows of sample k that earlier attempts saved, `chains[k]` what they saved beside it of an
    unfinished Markov chain, `finished` the samples with a result, `embedded` the vectors that the first of them made of
    the condition's images.
    """

    job_id: str
    attempt: int
    request: JobRequest
    uploads: list[bytes]
    mask: bytes | None
    canvases: list[bytes]
    finished: frozenset[int]
    embedded: bytes | None = None
    chains: tuple[bytes | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Sweep:
    """Markov chain k after its start or a sweep: its whole canvas, and what else it needs to go on, as JSON.

    `rows` counts those of its canvases so far, that of the start among them: the later sweep has more.
    """

    k: int
    rows: int
    canvas: bytes
    document: str


@dataclass(frozen=True, slots=True)
class SampleResult:
    """The result of sample k: a JSON document, the pixels it adds to the progress, a score's map."""

    k: int
    document: str
    pixels: int = 0
    score_map: bytes = b""


@dataclass(slots=True)
class Update:
    """What one job has to say in a flush. Repeating an update, or a longer one, does no harm.

    Attributes:
        rows: (sample, row, levels), in order within a sample; `rows_json` the same for the event.
        sweeps: one a chain, that takes the place of what is saved if it is later.
        renew: the engine is alive: renew the lease.
        next_state: ends this attempt. `data`: the result of a success, the error of a failure, as JSON.
    """

    job_id: str
    attempt: int
    rows: list[tuple[int, int, bytes]] = field(default_factory=list)
    rows_json: str = "[]"
    sweeps: list[Sweep] = field(default_factory=list)
    results: list[SampleResult] = field(default_factory=list)
    renew: bool = False
    next_state: State | None = None
    data: str = "{}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`kept`: the store has taken it. `lost`: the job is no longer ours. `cancel`: the client asked to stop."""

    status: Literal["kept", "lost"]
    cancel: bool


class Leases:
    """Every call is one compare-and-set in the store; all may be repeated when a reply was lost."""

    def __init__(self, client: "Redis", limits: Limits) -> None:
        self.client, self.limits = client, limits

    def claim(self, job_id: str, worker: str, token: str, profile: str) -> Claim | None:
        """Begin an attempt; None if the job has ended, is unknown, or is leased to a live worker.

        Args:
            token: unique to this call, so that its retry is recognised.
            profile: numeric profile of the engine; rows that another profile drew are forgotten.
        """
        times = (self.limits.lease_ms, self.limits.lifetime_ms, MAX_FRUITLESS_ATTEMPTS)
        status, *found = self.client.eval(lua.CLAIM, 0, job_id, worker, token, profile, *times)
        return _read_claim(job_id, *found) if status == b"claimed" else None

    def fail_foreign(self, job_id: str) -> None:
        """End a queued job of another version, which cannot be claimed: left queued, it would be sent again and again.

        One that is running has a worker that reads it.
        """
        message = "this job was written by another version of Scanline; send the request again"
        problem = json.dumps({"code": "internal", "message": message})
        self.client.eval(lua.FAIL_QUEUED, 0, job_id, self.limits.lifetime_ms, problem)

    def keep_embedded(self, job_id: str, attempt: int, vectors: bytes) -> bytes:
        """Keep with the job what was made of its condition's images; what is kept, that of an earlier call if any."""
        kept: bytes | None = self.client.eval(lua.KEEP_EMBEDDED, 0, job_id, attempt, vectors)
        return vectors if kept is None else kept  # None: no longer ours, as the next flush will say

    def flush(self, updates: Sequence[Update]) -> list[Outcome]:
        """All updates in one round trip, one atomic script each.

        Raises RedisError when the store is away or cannot write at present; the same updates may then be sent again.
        An update that the store can never take loses its own job only.
        """
        pipe = self.client.pipeline(transaction=False)
        for update in updates:
            pipe.eval(lua.FLUSH, 0, *self._flush_arguments(update))
        replies = pipe.execute(raise_on_error=False)
        return [_outcome(update.job_id, reply) for update, reply in zip(updates, replies, strict=True)]

    def reap(self, interval_s: float) -> tuple[int, int] | None:
        """Free jobs whose lease ended, drop expired ones; (freed, dropped), or None if another worker just did."""
        found: Any = self.client.eval(lua.REAP, 0, round(interval_s * 1000), self.limits.lifetime_ms)
        return None if found[0] < 0 else (found[0], found[1])

    def unsent(self, depth_of: Callable[[str], int]) -> list[tuple[str, str, bool]]:
        """Queued jobs that the broker may have lost: as many of the oldest as messages are missing.

        Args:
            depth_of: number of messages that wait for a model.

        Returns:
            (job id, model, whether an attempt was made before).
        """
        models: set[bytes] = self.client.smembers(f"{PREFIX}queues")  # type: ignore[assignment]
        found: list[tuple[str, str, bool]] = []
        for model in sorted(name.decode() for name in models):
            missing = self.client.zcard(f"{PREFIX}queue:{model}") - depth_of(model)
            for job_id in self.queued(model, missing) if missing > 0 else []:
                attempt = self.client.hget(f"{PREFIX}job:{job_id}", "attempt")
                found.append((job_id, model, attempt not in (None, b"0")))
        return found

    def queued(self, model: str, limit: int) -> list[str]:
        """Ids of the oldest queued jobs of a model."""
        ids: list[bytes] = self.client.zrange(f"{PREFIX}queue:{model}", 0, limit - 1)  # type: ignore[assignment]
        return [job_id.decode() for job_id in ids]

    def publish(self, report: WorkerReport, ttl_s: float) -> None:
        """Say that this worker lives, for `ttl_s`."""
        self.client.eval(lua.PUBLISH, 0, report.worker, encode(report), round(ttl_s * 1000))

    def withdraw(self, worker: str) -> None:
        """Say that it does not."""
        self.client.delete(f"{PREFIX}worker:{worker}")
        self.client.zrem(f"{PREFIX}workers", worker)

    def _flush_arguments(self, update: Update) -> list[Any]:
        arguments: list[Any] = [update.job_id, update.attempt, self.limits.lease_ms if update.renew else 0]
        arguments += [self.limits.lifetime_ms, update.rows_json, update.next_state or "", update.data]
        arguments.append(len(update.rows))
        for sample, row, levels in update.rows:
            arguments += [sample, row, levels]
        arguments.append(len(update.sweeps))
        for sweep in update.sweeps:
            arguments += [sweep.k, sweep.rows, sweep.document, sweep.canvas]
        arguments.append(len(update.results))
        for result in update.results:
            arguments += [result.k, result.document, result.pixels, result.score_map]
        return arguments


def _read_claim(
    job_id: str, found: list[Any], uploads: list[bytes | None], mask: bytes | None, canvases: list[bytes | None]
) -> Claim:
    record = read_record(job_id, *found)
    finished = frozenset(sample["sample"] for sample in record.samples)
    given = [upload for upload in uploads if upload is not None]
    rows = [canvas or b"" for canvas in canvases]
    kept = dict(zip(found[1][::2], found[1][1::2], strict=True))
    chains = tuple(kept.get(b"chain:%d" % k) for k in range(record.request.n))
    return Claim(job_id, record.attempt, record.request, given, mask, rows, finished, record.embedded, chains)


def _outcome(job_id: str, reply: Any) -> Outcome:
    if isinstance(reply, ResponseError) and not is_passing(reply):
        log.error("job %s: the store refuses its progress: %s", job_id, reply)
        return Outcome("lost", False)
    if isinstance(reply, Exception):
        raise reply
    status, cancel = reply
    return Outcome(status.decode(), bool(cancel))
