"""One attempt at a job inside this process: what the engine has drawn and the store has not yet taken."""

import base64
import json
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Literal

from worker.leases import Claim, Outcome, SampleResult, Sweep, Update
from worker.protocol import State
from worker.sweeps import Sweeps

Ending = Literal["ended", "requeued", "lost"]


class Attempt:
    """Written by the engine's thread, read by the writer's; what is pending stays until the store accepts it.

    Attributes:
        ending: resolves once the store has taken the end of this attempt, or has given the job to another.
        stop_requested: set by the writer: the job was canceled, or is no longer ours.
    """

    def __init__(self, claim: Claim, wake_writer: Callable[[], None]) -> None:
        self.claim = claim
        self.ending: Future[Ending] = Future()
        self.stop_requested = False
        self._wake_writer = wake_writer
        self._lock = threading.Lock()
        self._rows: list[tuple[int, int, bytes]] = []
        self._sweeps = Sweeps(claim.request)
        self._results: list[SampleResult] = []
        self._end: tuple[State, str] | None = None

    def add_row(self, k: int, row: int, pixels: bytes) -> None:
        """A finished row of the canvas of sample k."""
        with self._lock:
            self._rows.append((k, row, pixels))

    def add_sweep(self, sweep: Sweep) -> None:
        """A Markov chain has come so far."""
        self._sweeps.add(sweep)

    def add_result(self, result: SampleResult) -> None:
        """A finished sample. Its rows, or its last sweep, were added before."""
        with self._lock:
            self._results.append(result)

    def end(self, state: State, data: dict[str, Any] | None = None) -> None:
        """Finish the job, or give it back (`queued`). Only the first end counts. Written at once."""
        with self._lock:
            self._end = self._end or (state, json.dumps(data or {}))
        self._wake_writer()

    def fail(self, code: str, message: str) -> None:
        """End as failed, with a code of `protocol.ErrorCode`."""
        self.end("failed", {"code": code, "message": message})

    @property
    def has_ended(self) -> bool:
        with self._lock:
            return self._end is not None

    def pending(self, renew: bool) -> Update:
        """All that the store has not confirmed."""
        with self._lock:
            rows, results, end = list(self._rows), list(self._results), self._end
            sweeps = self._sweeps.pending()
        request = self.claim.request
        event = [
            {"sample": k, "row": shown[0], "data": base64.b64encode(shown[1]).decode()}
            for k, row, pixels in (*rows, *self._sweeps.rows(sweeps))
            if (shown := request.shown_row(row, pixels))
        ]
        update = Update(self.claim.job_id, self.claim.attempt, rows, json.dumps(event), sweeps, results, renew)
        if end is not None:
            update.next_state, update.data = end
        return update

    def confirm(self, update: Update, outcome: Outcome) -> bool:
        """The store's answer to `update`; True if this attempt is over."""
        with self._lock:
            del self._rows[: len(update.rows)]
            del self._results[: len(update.results)]
            self._sweeps.confirm(update.sweeps)
        if outcome.status == "lost":
            self.ending.set_result("lost")
        elif update.next_state is not None:
            self.ending.set_result("requeued" if update.next_state == "queued" else "ended")
        return self.ending.done()
