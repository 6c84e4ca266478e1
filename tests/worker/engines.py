"""Engines that misbehave, or that tell who drew."""

import threading
from typing import Any

from engine.engine import Engine
from engine.interrupt import Interrupt
from engine.request import Drawn, Output


class Breaks(Engine):
    """An engine whose device fails in mid-image, when it is told to."""

    is_broken = False

    def step(self, thread: int = 0, room: int = 1, interrupt: Interrupt | None = None) -> list[Output]:
        if self.is_broken:
            raise RuntimeError("device lost")
        return super().step(thread, room, interrupt)


class Hangs(Engine):
    """An engine whose step ends when it is let go, in the thread that draws."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.may_go_on = threading.Event()

    def step(self, thread: int = 0, room: int = 1, interrupt: Interrupt | None = None) -> list[Output]:
        outputs = super().step(thread, room, interrupt)
        if self.num_running(thread):
            self.may_go_on.wait()
        return outputs


class Watched(Engine):
    """Keeps which thread has finished which image, and how many each held at the same time."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.drawn: list[list[str]] = [[] for _ in range(self.num_threads)]
        self.held = [0] * self.num_threads

    def step(self, thread: int = 0, room: int = 1, interrupt: Interrupt | None = None) -> list[Output]:
        outputs = super().step(thread, room, interrupt)
        self.held[thread] = max(self.held[thread], self.num_running(thread))
        self.drawn[thread] += [output.id for output in outputs if isinstance(output, Drawn)]
        return outputs
