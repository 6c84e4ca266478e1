"""A chain of stages as one engine: what an image is conditioned on is drawn first, by an engine of its own."""

import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import torch

from engine.engine import Engine, Interpreter
from engine.interrupt import Interrupt
from engine.request import Drawn, DrawRequest, Output, Values, values_dtype
from engine.request_check import check_request
from models.program import Stage


def engine_of(
    stages: Sequence[Stage],
    num_slots: int = 8,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    interpreter: Interpreter = "auto",
    num_threads: int = 1,
) -> Engine:
    """The engine that draws the image of the last of `stages`, after those of the others; arguments as `Engine`."""
    engine = Engine(stages[0].program, num_slots, device, dtype, interpreter, num_threads)
    for before, stage in pairwise(stages):
        zoom = 1 << (before.level - stage.level)
        engine = ChainEngine(engine, zoom, stage, num_slots, device, dtype, interpreter, num_threads)
    return engine


class ChainEngine(Engine):
    """Draws an image after a coarse one, of its every `zoom`-th row and column, which the engine `before` draws.

    Known pixels of the image that lie on the coarse one's grid are known to that, too. Random numbers differ from stage
    to stage. The rows of every stage come out; log p of the finished image is the sum over the stages.
    """

    def __init__(
        self,
        before: Engine,
        zoom: int,
        stage: Stage,
        num_slots: int,
        device: str,
        dtype: torch.dtype,
        interpreter: Interpreter,
        num_threads: int,
    ) -> None:
        super().__init__(stage.program, num_slots, device, dtype, interpreter, num_threads)
        if before.num_threads != self.num_threads:
            raise ValueError("one stage of the chain has a native kernel and another has none")
        self._before, self._zoom = before, zoom
        if stage.told is None:
            raise ValueError("a stage after the first says what it is told of each level")
        self._told_of_level = stage.told.numpy()
        self.stage = before.stage + 1
        self._lock = threading.Lock()
        # By id: what was asked for, and the coarse image once it is there.
        self._begun: dict[str, tuple[DrawRequest, Drawn | None]] = {}
        # By thread: coarse images of its last step, whose rows the caller may not have taken yet.
        self._coarse: list[list[Drawn]] = [[] for _ in range(self.num_threads)]

    @property
    def has_free_slots(self) -> bool:
        return self._before.has_free_slots

    @property
    def num_waiting(self) -> int:
        return super().num_waiting + self._before.num_waiting

    def num_running(self, thread: int | None = None) -> int:
        coarse = self._coarse if thread is None else [self._coarse[thread]]
        return super().num_running(thread) + self._before.num_running(thread) + sum(map(len, coarse))

    def add(self, request: DrawRequest) -> None:
        blank = self._told(np.zeros(self._coarse_shape(request), np.uint8))
        check_request(self.program, replace(request, context_map=blank))
        with self._lock:
            self._begun[request.id] = request, None
        self._before.add(self._coarse_request(request))

    def cancel(self, request_id: str) -> None:
        with self._lock:
            self._begun.pop(request_id, None)
        self._before.cancel(request_id)
        super().cancel(request_id)

    def step(self, thread: int = 0, room: int = sys.maxsize, interrupt: Interrupt | None = None) -> list[Output]:
        """As `Engine.step`, of either stage; what is begun goes on before anything new begins.

        An image goes on in the step after the one that ended its coarse image: then the caller has taken that one's
        rows, and another thread that draws on cannot hand in a later row before them.
        """
        ended, self._coarse[thread] = self._coarse[thread], []
        for coarse in ended:
            self._go_on(coarse)
        is_alone = not self._before.num_waiting and not self._before.num_running(thread)
        outputs = [self._labelled(output) for output in super().step(thread, room, interrupt if is_alone else None)]
        for output in self._before.step(thread, self._lanes[thread].room_left):
            if isinstance(output, Drawn):
                self._coarse[thread].append(output)
            else:
                outputs.append(output)
        return outputs

    def _coarse_shape(self, request: DrawRequest) -> tuple[int, int, int]:
        height, width = -(-request.height // self._zoom), -(-request.width // self._zoom)
        return height, width, self._before.program.channels

    def _coarse_request(self, request: DrawRequest) -> DrawRequest:
        """The client's known pixels that lie on the grid, and rows that were drawn before."""
        shape = self._coarse_shape(request)
        known, mask = np.zeros(shape, values_dtype(self._before.program.num_levels)), np.zeros(shape[:2], np.bool_)
        if request.known is not None and request.mask is not None:
            known[:], mask[:] = (x[:: self._zoom, :: self._zoom] for x in (request.known, request.mask))
        if request.coarse is not None:
            known[: len(request.coarse)], mask[: len(request.coarse)] = request.coarse, True
        return replace(request, height=shape[0], width=shape[1], known=known, mask=mask, coarse=None)

    def _go_on(self, coarse: Drawn) -> None:
        """Ask for the image itself, unless it was canceled."""
        with self._lock:
            if coarse.id in self._begun:
                request, _ = self._begun[coarse.id]
                self._begun[coarse.id] = request, coarse
                given = self._told(coarse.values)
                super().add(replace(request, context_map=given, stage=self.stage, coarse=None))

    def _told(self, coarse: Values) -> npt.NDArray[np.float32]:
        """A coarse image [row, col, channel] as this stage's given map [row, col, number]."""
        rows, columns, channels = coarse.shape
        return self._told_of_level[coarse].reshape(rows, columns, channels * self._told_of_level.shape[1])

    def _labelled(self, output: Output) -> Output:
        """A row with its stage, an image with what it was drawn after."""
        if not isinstance(output, Drawn):
            return replace(output, stage=self.stage)
        with self._lock:
            _, coarse = self._begun.pop(output.id, (None, None))
        if coarse is None:  # canceled meanwhile
            return output
        return replace(
            output,
            log_prob=coarse.log_prob + output.log_prob,
            drawn_log_prob=coarse.drawn_log_prob + output.drawn_log_prob,
            coarse=coarse.values,
        )
