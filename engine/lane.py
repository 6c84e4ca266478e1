"""Images of one size that are drawn side by side: slots, and which row each of them has reached."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.request import Drawn, DrawRequest, Output, RowDrawn, Values, values_dtype
from engine.slots import Slots
from engine.torch_interpreter import TorchInterpreter

Take = Callable[[], DrawRequest | None]


@dataclass(slots=True)
class _Slot:
    request: DrawRequest
    values: Values
    row: int = 0
    log_prob: float = 0.0
    drawn_log_prob: float = 0.0


class Lane(Slots[_Slot]):
    """The slots of one interpreter. All stand at the same column; each at its own row."""

    def __init__(self, interpreter: TorchInterpreter) -> None:
        super().__init__(interpreter.num_slots)
        self._interpreter = interpreter
        self._column = 0
        self._row_count = 0  # rows begun, modulo 2^max_level: what the rows of all slots are alike in

    def step(self, take: Take) -> list[Output]:
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
                self._slots[index] = _Slot(request, np.zeros(shape, values_dtype(interpreter.program.num_levels)))
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
                outputs += self._finish_row(index, slot, values[:, index], log_probs[:, index])
        if not self.busy:
            self._row_count = 0
        return outputs

    def _finish_row(self, index: int, slot: _Slot, values: Values, log_probs: npt.NDArray[np.float64]) -> list[Output]:
        slot.values[slot.row] = values
        row_log_prob = float(log_probs.sum())
        slot.log_prob += row_log_prob
        mask = slot.request.mask
        slot.drawn_log_prob += row_log_prob if mask is None else float(log_probs[~mask[slot.row]].sum())
        outputs: list[Output] = [RowDrawn(slot.request.id, slot.row, values.copy(), row_log_prob)]
        slot.row += 1
        if slot.row == self._interpreter.height:
            self._slots[index] = None
            outputs.append(Drawn(slot.request.id, slot.values, slot.log_prob, slot.drawn_log_prob))
        return outputs
