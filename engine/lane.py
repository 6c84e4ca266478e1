"""Images of one size that are drawn side by side: slots, and which row each of them has reached."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from engine.heads import numbers_per_channel
from engine.philox import uniforms
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
        self._row = _RowInputs(interpreter)

    def step(self, take: Take) -> list[Output]:
        """One pixel of every slot. At the beginning of a row empty slots `take` waiting requests."""
        if self._column == 0:
            self._admit(take)
            if not self.busy:
                return []
            self._begin_row()
        self._row.draw(self._row_count, self._column)
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
        self._row.fill([(slot.request, slot.row) if slot else None for slot in self._slots])

    def _end_row(self) -> list[Output]:
        self._column = 0
        self._row_count = (self._row_count + 1) % (1 << self._interpreter.program.max_level)
        values, log_probs = self._row.finished()
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


class _RowInputs:
    """A row's random numbers and known pixels, made once a row, and its results, fetched once a row."""

    def __init__(self, interpreter: TorchInterpreter) -> None:
        self._interpreter = interpreter
        program = interpreter.program
        self._shape = (interpreter.width, interpreter.num_slots, program.channels)
        self._dtype = values_dtype(program.num_levels)
        self._numbers = np.arange(numbers_per_channel(program) * program.channels, dtype=np.uint64)
        self._results: list[tuple[torch.Tensor, torch.Tensor]] = []

    def fill(self, slots: list[tuple[DrawRequest, int] | None]) -> None:
        """`slots` holds each slot's request and row, None where it is empty."""
        width, num_slots, _ = self._shape
        seeds, samples, rows = (np.zeros((1, num_slots, 1), np.uint64) for _ in range(3))
        temperature = np.ones(num_slots)
        known = np.zeros(self._shape, self._dtype)
        mask = np.zeros((width, num_slots), np.bool_)
        for index, slot in enumerate(slots):
            if slot is None:
                continue
            request, row = slot
            seeds[0, index], samples[0, index], rows[0, index] = request.seed, request.sample, row
            temperature[index] = request.temperature
            if request.mask is not None and request.known is not None:
                known[:, index], mask[:, index] = request.known[row], request.mask[row]
        columns = np.arange(width, dtype=np.uint64)[:, None, None]
        numbers = uniforms(seeds, samples, rows * np.uint64(width) + columns, self._numbers)
        device, dtype = self._interpreter.device, self._interpreter.dtype
        self._uniforms = torch.from_numpy(numbers).to(device).unbind(0)
        self._temperature = torch.from_numpy(temperature).to(device)
        self._known = torch.from_numpy(known).to(device, dtype).unbind(0)
        self._mask = torch.from_numpy(mask).to(device).unbind(0)
        self._results = []

    def draw(self, row: int, column: int) -> None:
        self._results.append(
            self._interpreter.draw(
                row, column, self._uniforms[column], self._temperature, self._known[column], self._mask[column]
            )
        )

    def finished(self) -> tuple[Values, npt.NDArray[np.float64]]:
        """Values and log p (nats), [column, slot, channel]."""
        values = torch.stack([value for value, _ in self._results]).cpu().numpy().astype(self._dtype)
        log_probs = torch.stack([log_prob for _, log_prob in self._results]).cpu().numpy()
        return values, log_probs
