"""What there is to draw and to score. One lock over the tables, held for bookkeeping and never while anything runs."""

import logging
import threading
from collections import deque

from engine.engine import Engine
from engine.interrupt import Interrupt
from engine.request import RequestRejected
from worker.attempt import Attempt
from worker.image_run import ImageRun
from worker.loaded_model import LoadedModel
from worker.score_run import Piece, ScoreRun

log = logging.getLogger(__name__)

Key = tuple[str, int]


class Work:
    """Runs in hand, from their beginning to the end of their attempt. May be called from any thread."""

    def __init__(self, num_threads: int) -> None:
        self.interrupts = [Interrupt() for _ in range(num_threads)]
        self._changed = threading.Condition()
        self._draws: dict[Key, ImageRun] = {}
        self._scores: deque[ScoreRun] = deque()
        self._is_draining = False

    def begin(self, run: ImageRun | ScoreRun) -> None:
        """Take a run in, unless its attempt was stopped already or may not begin here any more."""
        attempt = run.attempt
        with self._changed:
            if attempt.has_ended or attempt.stop_requested:
                return
            if self._is_draining or run.loaded.is_broken:
                attempt.end("queued")
                return
            if isinstance(run, ScoreRun):
                self._scores.append(run)
            else:
                self._draws[_key(attempt)] = run
        if isinstance(run, ImageRun):
            self._hand_over(run)
        if isinstance(run, ScoreRun) or run.engine.has_free_slots:
            self._call_threads()
        with self._changed:
            self._changed.notify_all()

    def stop(self, attempt: Attempt) -> None:
        """Forget what is done for an attempt."""
        with self._changed:
            run = self._draws.pop(_key(attempt), None)
            self._scores = deque(score for score in self._scores if score.attempt is not attempt)
        if run is not None:
            run.stop()
            self._call_threads()

    def drain(self) -> None:
        """Give everything back to the queue, and whatever comes from now on."""
        with self._changed:
            self._is_draining = True
            runs: list[ImageRun | ScoreRun] = [*self._draws.values(), *self._scores]
            self._draws.clear()
            self._scores.clear()
        for run in runs:
            run.attempt.end("queued")

    def fail_draws(self, engine: Engine, message: str) -> None:
        """End whatever an engine draws."""
        with self._changed:
            runs = [run for run in self._draws.values() if run.engine is engine]
        for run in runs:
            run.attempt.fail("engine_failed", message)
            self.forget_ended(run)

    def forget_ended(self, run: ImageRun | ScoreRun) -> None:
        """To be called after whatever may have ended its attempt."""
        if run.attempt.has_ended:
            with self._changed:
                self._draws.pop(_key(run.attempt), None)
                self._scores = deque(other for other in self._scores if other is not run)

    def run_of(self, request_id: str) -> ImageRun | None:
        """Who has asked for an image; None once it is not in hand any more."""
        job_id, attempt, _ = request_id.split("/")
        with self._changed:
            return self._draws.get((job_id, int(attempt)))

    def next_piece(self) -> tuple[ScoreRun, Piece] | None:
        """Something to score, of each run in turn."""
        with self._changed:
            for _ in range(len(self._scores)):
                run = self._scores[0]
                self._scores.rotate(-1)
                if piece := run.take_piece():
                    return run, piece
            return None

    def engines(self) -> dict[Engine, LoadedModel]:
        """Those that draw, and of which model."""
        with self._changed:
            return self._engines()

    def is_alone(self, engine: Engine) -> bool:
        """Whether nothing but this engine has work."""
        with self._changed:
            return not self._scores and all(run.engine is engine for run in self._draws.values())

    def look_again(self) -> None:
        """A step made work for threads that may sleep: the next stage of an image, the next update of a hole."""
        with self._changed:
            self._changed.notify_all()

    def wait(self, thread: int) -> None:
        """Return when there is something to do for a thread."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_work_for(thread))

    def _has_work_for(self, thread: int) -> bool:
        draws = any(draws_in(engine, thread) for engine in self._engines())
        return draws or any(run.has_pieces for run in self._scores)

    def _engines(self) -> dict[Engine, LoadedModel]:
        return {run.engine: run.loaded for run in self._draws.values()}

    def _call_threads(self) -> None:
        """Threads that draw on and on are to look at what there is to do."""
        for interrupt in self.interrupts:
            interrupt.set()

    def _hand_over(self, run: ImageRun) -> None:
        """Its requests to the engine."""
        try:
            run.begin()
        except Exception as error:
            if not isinstance(error, RequestRejected):
                log.exception("job %s cannot begin", run.attempt.claim.job_id)
            run.stop()
            run.attempt.fail("engine_failed", f"the engine does not take this job: {error}")
        self.forget_ended(run)


def draws_in(engine: Engine, thread: int) -> bool:
    """Whether an engine has images for a thread: in its slots, or waiting."""
    return thread < engine.num_threads and (engine.num_waiting > 0 or engine.num_running(thread) > 0)


def _key(attempt: Attempt) -> Key:
    return attempt.claim.job_id, attempt.claim.attempt
