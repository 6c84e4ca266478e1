"""What goes into a row of a torch interpreter and what comes out of it, in tensors that never move.

Filled once a row and fetched once a row: one copy each way, however many pixels. Their addresses are fixed because a
graph captured on a CUDA device keeps reading and writing the same ones.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.bernoulli import log_prob, threshold
from engine.heads import numbers_per_channel
from engine.number_blocks import NumberBlocks
from engine.request import DrawRequest, Values, values_dtype
from models.program import Program


class RowBuffers:
    """Random numbers and known pixels of one row of `num_slots` images, and the row that was drawn.

    Attributes, the slots of one column side by side:
        uniforms: float64 [column, slot, number]. For a density a column's numbers are first those of every channel
            that choose its component.
        temperature: float64 [slot].
        known: [column, slot, channel] in `dtype`; is_known: bool [column, slot].
        values: [column, slot, channel], the present row of the pixels; log_probs: float64, in nats at temperature 1.
        thresholds: float64, what Bernoulli heads compare their logits with; logits: float64, where they leave them
            and `fetch` makes log p of them.
        has_known: whether anything is known in this row.
    """

    def __init__(self, program: Program, values: Tensor, device: str, dtype: torch.dtype) -> None:
        width, num_slots, _ = shape = tuple(values.shape)
        num_numbers = numbers_per_channel(program) * program.channels
        self.uniforms = torch.zeros(width, num_slots, num_numbers, dtype=torch.float64, device=device)
        self.temperature = torch.ones(num_slots, dtype=torch.float64, device=device)
        self.known = torch.zeros(shape, dtype=dtype, device=device)
        self.is_known = torch.zeros(shape[:2], dtype=torch.bool, device=device)
        self.values = values
        self.logits = torch.zeros(shape, dtype=torch.float64, device=device)
        self.thresholds = torch.zeros(shape, dtype=torch.float64, device=device)
        self.has_known = True
        bernoulli = [head.start for head in program.heads if head.kind == "bernoulli"]
        self._bernoulli = slice(None) if len(bernoulli) == program.channels else bernoulli
        self._may_skip_known = torch.device(device).type != "cuda"  # what a graph has captured cannot be skipped
        self.log_probs = torch.zeros(shape, dtype=torch.float64, device=device)
        self._numbers = NumberBlocks(width, num_numbers)
        self._values_dtype = values_dtype(program.num_levels)

    @torch.inference_mode()
    def fill(self, slots: Sequence[tuple[DrawRequest, int] | None]) -> None:
        """`slots` holds each slot's request and row, None where it is empty."""
        width, num_slots, _ = self.known.shape
        numbers = np.full(self.uniforms.shape, 0.5)  # an empty slot computes along, and is to stay finite
        temperature = np.ones(num_slots)
        known = np.zeros(self.known.shape, self._values_dtype)
        is_known = np.zeros((width, num_slots), np.bool_)
        for index, slot in enumerate(slots):
            if slot is None:
                continue
            request, row = slot
            numbers[:, index] = self._numbers.row(index, request, row)
            temperature[index] = request.temperature
            if request.mask is not None and request.known is not None:
                known[:, index], is_known[:, index] = request.known[row], request.mask[row]
        self.has_known = not self._may_skip_known or bool(is_known.any())
        for tensor, array in (
            (self.uniforms, numbers),
            (self.temperature, temperature),
            (self.known, known),
            (self.is_known, is_known),
        ):
            tensor.copy_(torch.from_numpy(array))
        if self._bernoulli != []:
            found = threshold(self.uniforms[..., self._bernoulli], self.temperature[:, None])
            self.thresholds[..., self._bernoulli] = found

    @torch.inference_mode()
    def fetch(self) -> tuple[Values, npt.NDArray[np.float64]]:
        """The row that was drawn: values and log p in nats, [column, slot, channel]."""
        if self._bernoulli != []:
            found = log_prob(self.logits[..., self._bernoulli], self.values[..., self._bernoulli])
            self.log_probs[..., self._bernoulli] = found
        return self.values.cpu().numpy().astype(self._values_dtype), self.log_probs.cpu().numpy().copy()
