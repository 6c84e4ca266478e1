"""Images of one size that are drawn side by side: slots, and which row each of them has reached."""

from collections.abc import Callable

import numpy as np

from engine.interrupt import Interrupt
from engine.progress import Progress
from engine.request import DrawRequest, Output, values_dtype
from engine.slots import Slots
from engine.torch_interpreter import TorchInterpreter

Take = Callable[[], DrawRequest | None]


class Lane(Slots[Progress]):
    """The slots of one interpreter. All stand at the same column; each at its own row."""

    def __init__(self, interpreter: TorchInterpreter) -> None:
        super().__init__(interpreter.num_slots)
        self._interpreter = interpreter
        self._column = 0
        self._row_count = 0  # rows begun, modulo 2^max_level: what the rows of all slots are alike in

    def step(self, take: Take, _: Interrupt | None = None) -> list[Output]:
        """One pixel of every slot. At the beginning of a row empty slots `take` waiting requests."""
        if self._column == 0:
            self._admit(take)
            if not self.busy:
                return []
            self._begin_row()
        self._interpreter.draw(self._row_count, self._column)
        self._column += 1
        return self._end_row() if self._column == self._interpreter.width else []

    def _emptied(self, index: int) -> None:
        if not self.busy:
            self._column = self._row_count = 0

    def _admit(self, take: Take) -> None:
        if self._row_count:
            return
        for index, slot in enumerate(self._slots):
            if slot is None and (request := take()) is not None:
                interpreter = self._interpreter
                shape = (interpreter.height, interpreter.width, interpreter.program.channels)
                values = np.zeros(shape, values_dtype(interpreter.program.num_levels))
                self._slots[index] = Progress(request, values, np.zeros(shape))
                interpreter.admit(index, request.context, request.context_map)

    def _begin_row(self) -> None:
        # An empty slot computes along in the pixel phases: leaving it out would change the bits of the others.
        rows = [self._row_count if slot is None else slot.row for slot in self._slots]
        num_used = max(index + 1 for index, slot in enumerate(self._slots) if slot is not None)
        self._interpreter.begin_row(rows, num_used)
        self._interpreter.row_buffers.fill([(slot.request, slot.row) if slot else None for slot in self._slots])

    def _end_row(self) -> list[Output]:
        self._column = 0
        self._row_count = (self._row_count + 1) % (1 << self._interpreter.program.max_level)
        values, log_probs = self._interpreter.row_buffers.fetch()
        outputs: list[Output] = []
        for index, slot in enumerate(self._slots):
            if slot is not None:
                outputs += slot.finish_row(values[:, index], log_probs[:, index])
                if slot.row == self._interpreter.height:
                    self._slots[index] = None
        if not self.busy:
            self._row_count = 0
        return outputs
