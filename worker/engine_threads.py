"""The threads that draw and score, one a core: each steps its share of every engine, and scores pieces in between."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable
from itertools import groupby

import torch

from engine.engine import Engine
from worker.attempt import Attempt
from worker.image_run import ImageRun
from worker.loaded_model import LoadedModel
from worker.score_run import ScoreRun
from worker.work import Work, draws_in

log = logging.getLogger(__name__)


class EngineThreads:
    """Nobody else steps an engine. A step or a piece of a score runs without any lock held.

    Args:
        on_broken: called when a step raised: its model must be loaded again.
    """

    def __init__(self, num_threads: int, on_broken: Callable[[LoadedModel], None]) -> None:
        self._num_threads, self._on_broken = num_threads, on_broken
        self._work = Work(num_threads)
        # When the present turn of a thread began, None while it waits; drawing time that it owes before it may score.
        self._turn_began: list[float | None] = [None] * num_threads
        self._debt_s = [0.0] * num_threads

    def start(self) -> None:
        for thread in range(self._num_threads):
            threading.Thread(target=self._loop, args=(thread,), name=f"engine-{thread}", daemon=True).start()

    def submit(self, run: ImageRun | ScoreRun) -> None:
        """Begin a run; its attempt says when it has ended."""
        self._work.begin(run)

    def stop(self, attempt: Attempt, is_lost: bool) -> None:
        """Stop what is done for an attempt; end it as canceled unless it is no longer ours."""
        self._work.stop(attempt)
        if not is_lost:
            attempt.end("canceled")

    def drain(self) -> None:
        """Give all jobs back to the queue; they go on elsewhere from the rows that are finished."""
        self._work.drain()

    def progress_age_s(self) -> float:
        """Seconds since the thread that has been busy for longest gave a sign of life; 0 when all are idle."""
        now = time.monotonic()
        return max((now - began for began in self._turn_began if began is not None), default=0.0)

    def _loop(self, thread: int) -> None:
        try:
            # One thread of ours a core: torch's own would only get in their way.
            torch.set_num_threads(1)
            while True:
                self._work.wait(thread)
                self._turn_began[thread] = time.monotonic()
                self._turn(thread)
                self._turn_began[thread] = None
        except BaseException:
            # What this thread draws would never end: die visibly, and let another worker go on from the saved rows.
            log.critical("an engine thread failed; the worker ends", exc_info=True)
            os._exit(1)

    def _turn(self, thread: int) -> None:
        """A step of every engine that has images for this thread, and a piece of a score if none is owed to drawing."""
        began = time.monotonic()
        self._work.interrupts[thread].clear()
        busy = self._work.engines()
        mine = [engine for engine in busy if draws_in(engine, thread)]
        for engine in mine:
            self._step(engine, busy[engine], thread, self._room(engine, thread, busy))
        self._debt_s[thread] = self._debt_s[thread] - (time.monotonic() - began) if mine else 0.0
        if self._debt_s[thread] <= 0:
            self._debt_s[thread] = self._score_piece()

    def _step(self, engine: Engine, loaded: LoadedModel, thread: int, room: int) -> None:
        interrupt = self._work.interrupts[thread] if self._work.is_alone(engine) else None
        try:
            outputs = engine.step(thread, room, interrupt)
            for request_id, of_image in groupby(outputs, key=lambda output: output.id):
                if run := self._work.run_of(request_id):
                    for output in of_image:
                        run.take(output)
                    self._work.forget_ended(run)
            if engine.num_waiting:
                self._work.look_again()
        except Exception as error:
            log.exception("the engine of %s failed", loaded.config.id)
            loaded.is_broken = True
            self._on_broken(loaded)
            self._work.fail_draws(engine, f"the engine failed while drawing: {error}")

    def _room(self, engine: Engine, thread: int, busy: Iterable[Engine]) -> int:
        """How many more images a thread may take: with its share of all there are, it leaves the others to the others.

        What only one thread can draw is not shared.
        """
        if engine.num_threads == 1:
            return sys.maxsize
        total = sum(other.num_waiting + other.num_running() for other in busy)
        held = sum(other.num_running(thread) for other in busy)
        return -(-total // self._num_threads) - held

    def _score_piece(self) -> float:
        """A piece of one score job; the time that drawing then gets before the next."""
        if (found := self._work.next_piece()) is None:
            return 0.0
        run, piece = found
        began = time.monotonic()
        try:
            run.score(piece)
        except Exception as error:
            log.exception("scoring failed in job %s", run.attempt.claim.job_id)
            run.attempt.fail("engine_failed", f"scoring failed: {error}")
        self._work.forget_ended(run)
        return time.monotonic() - began
