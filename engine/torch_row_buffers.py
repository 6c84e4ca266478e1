"""What goes into a row of a torch interpreter and what comes out of it, in tensors that never move.

Filled once a row and fetched once a row: one copy each way, however many pixels. Their addresses are fixed because a
graph captured on a CUDA device keeps reading and writing the same ones.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from engine.heads import numbers_per_channel
from engine.philox import uniforms
from engine.request import DrawRequest, Values, values_dtype
from models.program import Program


class RowBuffers:
    """Random numbers and known pixels of one row of `num_slots` images, and the row that was drawn.

    Attributes, the slots of one column side by side:
        uniforms: float64 [column, slot, number]. For a density a column's numbers are first those of every channel
            that choose its component.
        temperature: float64 [slot].
        known: [column, slot, channel] in `dtype`; is_known: bool [column, slot].
        values: [column, slot, channel] in `dtype`; log_probs: float64, in nats at temperature 1.
    """

    def __init__(self, program: Program, width: int, num_slots: int, device: str, dtype: torch.dtype) -> None:
        shape = (width, num_slots, program.channels)
        num_numbers = numbers_per_channel(program) * program.channels
        self.uniforms = torch.zeros(width, num_slots, num_numbers, dtype=torch.float64, device=device)
        self.temperature = torch.ones(num_slots, dtype=torch.float64, device=device)
        self.known = torch.zeros(shape, dtype=dtype, device=device)
        self.is_known = torch.zeros(shape[:2], dtype=torch.bool, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.log_probs = torch.zeros(shape, dtype=torch.float64, device=device)
        self._numbers = np.arange(num_numbers, dtype=np.uint64)
        self._values_dtype = values_dtype(program.num_levels)

    @torch.inference_mode()
    def fill(self, slots: Sequence[tuple[DrawRequest, int] | None]) -> None:
        """`slots` holds each slot's request and row, None where it is empty."""
        width, num_slots, _ = self.known.shape
        seeds, samples, rows = (np.zeros((1, num_slots, 1), np.uint64) for _ in range(3))
        temperature = np.ones(num_slots)
        known = np.zeros(self.known.shape, self._values_dtype)
        is_known = np.zeros((width, num_slots), np.bool_)
        for index, slot in enumerate(slots):
            if slot is None:
                continue
            request, row = slot
            seeds[0, index], samples[0, index], rows[0, index] = request.seed, request.sample, row
            temperature[index] = request.temperature
            if request.mask is not None and request.known is not None:
                known[:, index], is_known[:, index] = request.known[row], request.mask[row]
        columns = np.arange(width, dtype=np.uint64)[:, None, None]
        numbers = uniforms(seeds, samples, rows * np.uint64(width) + columns, self._numbers)
        for tensor, array in (
            (self.uniforms, numbers),
            (self.temperature, temperature),
            (self.known, known),
            (self.is_known, is_known),
        ):
            tensor.copy_(torch.from_numpy(array))

    def fetch(self) -> tuple[Values, npt.NDArray[np.float64]]:
        """The row that was drawn: values and log p in nats, [column, slot, channel]."""
        return self.values.cpu().numpy().astype(self._values_dtype), self.log_probs.cpu().numpy().copy()
