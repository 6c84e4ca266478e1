"""The heads of a torch interpreter, bound to the buffers of a column."""

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.bernoulli import bind_bernoulli
from engine.heads import Draw, bind_head
from engine.scratch import Run
from engine.torch_row_buffers import RowBuffers
from engine.torch_rows import Rows
from models.program import PIXEL, Head, Program, Ref


class Heads:
    """From the features of a column and the numbers of `buffers` to its pixel, and log p into `buffers`."""

    def __init__(self, program: Program, parameters: Mapping[str, Tensor], rows: Rows, buffers: RowBuffers) -> None:
        self._program, self._rows, self._buffers = program, rows, buffers
        self._samplers = [
            None if head.kind == "bernoulli" else bind_head(program, head, parameters) for head in program.heads
        ]

    def bind(self, group: int, column: int) -> list[Run]:
        """The calls that draw the channels of a group."""
        head, draw = self._program.heads[group], self._samplers[group]
        return self._bind_bernoulli(head, column) if draw is None else [self._bind_sampler(head, draw, column)]

    def _bind_bernoulli(self, head: Head, column: int) -> list[Run]:
        buffers, own = self._buffers, slice(head.start, head.stop)
        pixel = self._rows.view(Ref(PIXEL, head.start, head.stop), column, 0)
        calls = bind_bernoulli(
            self._rows.view(head.inputs[0], column, 0),
            buffers.thresholds[column, :, own],
            buffers.logits[column, :, own],
            pixel,
        )
        known, is_known = buffers.known[column, :, own], buffers.is_known[column, :, None]

        def keep_known() -> None:
            if buffers.has_known:
                pixel.copy_(torch.where(is_known, known, pixel))

        return [*calls, keep_known]

    def _bind_sampler(self, head: Head, draw: Draw, column: int) -> Run:
        buffers, own = self._buffers, slice(head.start, head.stop)
        inputs = [self._rows.view(ref, column, 0) for ref in head.inputs]
        numbers = buffers.uniforms[column].view(len(buffers.temperature), -1, self._program.channels)[:, :, own]
        known, is_known, temperature = buffers.known[column, :, own], buffers.is_known[column], buffers.temperature
        pixel = self._rows.view(Ref(PIXEL, head.start, head.stop), column, 0)
        log_probs = buffers.log_probs[column, :, own]

        def run() -> None:
            values, log_prob = draw(inputs, numbers, temperature, known, is_known)
            pixel.copy_(values)
            log_probs.copy_(log_prob)

        return run
