"""The one thread that draws and scores: loaded engines take turns by steps, scores by pieces between the steps."""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable

from engine.request import RequestRejected
from worker.attempt import Attempt
from worker.draw_run import DrawRun
from worker.loaded_model import LoadedModel
from worker.score_run import ScoreRun

log = logging.getLogger(__name__)


class EngineThread:
    """Everything that touches an engine happens here; other threads leave notes in the inbox.

    Args:
        on_broken: called when a step raised: its model must be loaded again.
    """

    def __init__(self, on_broken: Callable[[LoadedModel], None]) -> None:
        self._on_broken = on_broken
        self._inbox: deque[Callable[[], None]] = deque()
        self._noticed = threading.Condition()
        self._draws: dict[tuple[str, int], DrawRun] = {}
        self._scores: deque[ScoreRun] = deque()
        self._progress_at = time.monotonic()
        self._score_debt_s = 0.0
        self._is_draining = False
        self._thread = threading.Thread(target=self._loop, name="engine", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def submit(self, run: DrawRun | ScoreRun) -> None:
        """Begin a run; its attempt says when it has ended."""
        self._note(lambda: self._begin(run))

    def stop(self, attempt: Attempt, is_lost: bool) -> None:
        """Stop what is done for an attempt; end it as canceled unless it is no longer ours."""
        self._note(lambda: self._stop(attempt, is_lost))

    def drain(self) -> None:
        """Give all jobs back to the queue; they go on elsewhere from the rows that are finished."""
        self._note(self._drain)

    def progress_age_s(self) -> float:
        """Seconds since the last sign of life, while there is work; 0 when idle."""
        has_work = self._inbox or self._draws or self._scores
        return time.monotonic() - self._progress_at if has_work else 0.0

    def _note(self, action: Callable[[], None]) -> None:
        with self._noticed:
            self._inbox.append(action)
            self._noticed.notify()

    def _loop(self) -> None:
        try:
            while True:
                self._wait()
                self._turn()
                self._progress_at = time.monotonic()
        except BaseException:
            # Nothing draws without this thread: die visibly, and let another worker go on from the saved rows.
            log.critical("the engine thread failed; the worker ends", exc_info=True)
            os._exit(1)

    def _turn(self) -> None:
        while self._inbox:
            self._inbox.popleft()()
        for loaded in self._busy_models():
            self._step(loaded)
        if self._scores and self._score_debt_s <= 0:
            self._score_piece()

    def _wait(self) -> None:
        with self._noticed:
            if not self._inbox and not self._draws and not self._scores:
                self._noticed.wait_for(lambda: bool(self._inbox))
                self._progress_at = time.monotonic()

    def _busy_models(self) -> list[LoadedModel]:
        return list({id(run.loaded): run.loaded for run in self._draws.values()}.values())

    def _begin(self, run: DrawRun | ScoreRun) -> None:
        attempt = run.attempt
        if attempt.has_ended or attempt.stop_requested:  # canceled or lost before it began
            return
        if self._is_draining or run.loaded.is_broken:
            attempt.end("queued")
        elif isinstance(run, ScoreRun):
            self._scores.append(run)
        else:
            self._draws[_key(attempt)] = run
            try:
                run.begin(run.loaded.engine)
            except Exception as error:
                if not isinstance(error, RequestRejected):
                    log.exception("job %s cannot begin", attempt.claim.job_id)
                run.stop(run.loaded.engine)
                attempt.fail("engine_failed", f"the engine does not take this job: {error}")
            self._forget_ended(run)

    def _step(self, loaded: LoadedModel) -> None:
        started = time.monotonic()
        try:
            for output in loaded.engine.step():
                job_id, attempt, _ = output.id.split("/")
                if run := self._draws.get((job_id, int(attempt))):
                    run.take(output)
                    self._forget_ended(run)
        except Exception as error:
            log.exception("the engine of %s failed", loaded.config.id)
            self._fail_all(loaded, error)
        self._score_debt_s -= time.monotonic() - started

    def _score_piece(self) -> None:
        """A piece of one score job; drawing then gets as much time before the next piece."""
        run = self._scores.popleft()
        started = time.monotonic()
        try:
            run.advance()
        except Exception as error:
            log.exception("scoring failed in job %s", run.attempt.claim.job_id)
            run.attempt.fail("engine_failed", f"scoring failed: {error}")
        if not run.attempt.has_ended:
            self._scores.append(run)
        self._score_debt_s = time.monotonic() - started if self._draws else 0.0

    def _fail_all(self, loaded: LoadedModel, error: Exception) -> None:
        loaded.is_broken = True
        self._on_broken(loaded)
        for run in [run for run in self._draws.values() if run.loaded is loaded]:
            run.attempt.fail("engine_failed", f"the engine failed while drawing: {error}")
            self._forget_ended(run)

    def _stop(self, attempt: Attempt, is_lost: bool) -> None:
        if run := self._draws.pop(_key(attempt), None):
            run.stop(run.loaded.engine)
        self._scores = deque(run for run in self._scores if run.attempt is not attempt)
        if not is_lost:
            attempt.end("canceled")

    def _drain(self) -> None:
        self._is_draining = True
        attempts = [run.attempt for run in self._draws.values()] + [run.attempt for run in self._scores]
        for attempt in attempts:
            attempt.end("queued")
        self._draws.clear()
        self._scores.clear()

    def _forget_ended(self, run: DrawRun) -> None:
        if run.attempt.has_ended:
            self._draws.pop(_key(run.attempt), None)


def _key(attempt: Attempt) -> tuple[str, int]:
    return attempt.claim.job_id, attempt.claim.attempt
