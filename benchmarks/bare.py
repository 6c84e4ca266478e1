"""The engine without a service around it."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from engine.engine import Engine
from engine.interrupt import Interrupt
from engine.request import Drawn, DrawRequest
from models.program import Program

_names = count()


@dataclass(frozen=True, slots=True)
class Pace:
    """Images a second by the clock on the wall, and processor seconds an image."""

    rate: float
    cpu_s: float


class BareEngine:
    """An engine as the worker has it: as many slots, the same interpreter."""

    def __init__(self, program: Program, num_slots: int) -> None:
        self._engine, self._num_slots = Engine(program, num_slots, interpreter="native"), num_slots
        self._interrupt = Interrupt()  # never set

    def pace(self, size: int, seconds: float) -> Pace:
        """With all slots busy, over about `seconds`."""
        for _ in range(2 * self._num_slots):
            self._add(size)
        done: list[tuple[float, float]] = []
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(done) <= self._num_slots:
            for _ in self._drawn():
                done.append((time.perf_counter(), time.thread_time()))
                self._add(size)
        for _ in self._rest():
            pass
        # Slots that began together end together: count from one such moment to another.
        last = (len(done) - 1) // self._num_slots * self._num_slots
        wall_s, cpu_s = (done[last][clock] - done[0][clock] for clock in (0, 1))
        return Pace(last / wall_s, cpu_s / last)

    def latency(self, size: int) -> float:
        """Seconds for one image alone."""
        started = time.perf_counter()
        self._add(size)
        for _ in self._rest():
            pass
        return time.perf_counter() - started

    def _add(self, size: int) -> None:
        name = next(_names)
        self._engine.add(DrawRequest(str(name), str(name), size, size, 1, name))

    def _rest(self) -> Iterator[Drawn]:
        while self._engine.busy:
            yield from self._drawn()

    def _drawn(self) -> Iterator[Drawn]:
        return (output for output in self._engine.step(interrupt=self._interrupt) if isinstance(output, Drawn))
