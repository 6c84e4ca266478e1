"""The writer: one thread that carries progress to the store, all jobs in one pipeline, about ten times a second."""

import logging
import threading
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from worker.attempt import Attempt
from worker.leases import Claim, Leases

log = logging.getLogger(__name__)

RETRY_S = 0.25


class Writer:
    """Sleeps while no job runs; while one does, flushes every `flush_s`, and at once when a job ends.

    A store that does not answer costs nothing but time: whatever it has not confirmed is sent again.

    Args:
        on_stop: called in the writer's thread, once an attempt, when the job was canceled or lost.
        engine_alive: whether the engine has lately made progress; leases are renewed only then.
    """

    def __init__(
        self,
        leases: Leases,
        flush_s: float,
        on_stop: Callable[[Attempt, bool], None],
        engine_alive: Callable[[], bool],
    ) -> None:
        self._leases, self._flush_s = leases, flush_s
        self._on_stop, self._engine_alive = on_stop, engine_alive
        self._attempts: list[Attempt] = []
        self._changed = threading.Condition()
        self._urgent = self._stopping = False
        self._thread = threading.Thread(target=self._loop, name="writer", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def open(self, claim: Claim) -> Attempt:
        """Begin to write for a claimed job and to renew its lease."""
        attempt = Attempt(claim, self._wake)
        with self._changed:
            self._attempts.append(attempt)
            self._changed.notify()
        return attempt

    def stop(self, timeout_s: float) -> None:
        """Write what there is, then end; give up after `timeout_s`: the leases will end by themselves."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        self._thread.join(timeout_s)

    def _wake(self) -> None:
        with self._changed:
            self._urgent = True
            self._changed.notify()

    def _loop(self) -> None:
        while self._wait():
            try:
                self._flush()
            except RedisError as error:
                log.warning("the job store does not answer, progress waits: %s", error)
                time.sleep(RETRY_S)
            except Exception:
                log.exception("a flush failed, progress waits")
                time.sleep(RETRY_S)

    def _wait(self) -> bool:
        """Sleep until the next flush is due; False when the writer may end."""
        with self._changed:
            self._changed.wait_for(lambda: self._attempts or self._stopping)
            self._changed.wait_for(lambda: self._urgent or self._stopping, self._flush_s)
            self._urgent = False
            return bool(self._attempts) or not self._stopping

    def _flush(self) -> None:
        with self._changed:
            attempts = list(self._attempts)
        alive = self._engine_alive()
        updates = [attempt.pending(renew=alive) for attempt in attempts]
        for attempt, update, outcome in zip(attempts, updates, self._leases.flush(updates), strict=True):
            if attempt.confirm(update, outcome):
                with self._changed:
                    self._attempts.remove(attempt)
            lost = outcome.status == "lost"
            if (lost or outcome.cancel) and not attempt.stop_requested:
                attempt.stop_requested = True
                self._on_stop(attempt, lost)
