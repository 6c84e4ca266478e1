"""Step programs without row phases in plain torch, a front at a time: hundreds of pixels in one matrix product.

Each pixel of a front, of whatever image and row, is a row of the same matrices: its *place*. What it reads of other
pixels is gathered from lines of features before an operation, and what they will read of it is scattered there after.
Operations are bound once for each number of places.
"""

from collections.abc import Iterator
from itertools import groupby

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.bernoulli import draw_bernoulli
from engine.draws import Draws
from engine.front_memory import FrontMemory
from engine.fronts import PLACE_MULTIPLE, Block, Fronts
from engine.heads import bind_head, numbers_per_channel
from engine.scratch import Run, Scratch
from engine.torch_operations import bind_affine, bind_pointwise, pack
from models.program import PIXEL, Affine, Operation, Program, Ref

# RIDE with 64 units, 1024 columns and 8 slots: 3 GB, if every number of places that occurs were kept.
MAX_BOUND_FRONTS = 32


class TorchFronts:
    """Runs `program` for up to `num_slots` images of one size, each at a front of its own."""

    def __init__(
        self,
        program: Program,
        height: int,
        width: int,
        num_slots: int,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if num_slots < 1 or num_slots % PLACE_MULTIPLE:
            raise ValueError(f"the torch interpreter runs {PLACE_MULTIPLE} slots or a multiple, not {num_slots}")
        self.program, self.num_slots, self._device, self._dtype = program, num_slots, device, dtype
        self.fronts, self.num_numbers = Fronts(program, height, width), numbers_per_channel(program)
        with torch.inference_mode():
            self._parameters = {name: p.to(device, dtype) for name, p in program.parameters.items()}
            self._memory = FrontMemory(program, height, width, num_slots, device, dtype)
            self._heads = [
                draw_bernoulli if head.kind == "bernoulli" else bind_head(program, head, self._parameters)
                for head in program.heads
            ]
        self._scratch = Scratch()
        self._packed: dict[int, tuple[Tensor, Tensor | None]] = {}
        self._bound: dict[int, list[Run]] = {}
        self._present: dict[str, Tensor] = {}  # of the front that is drawn now, as in `Draws`

    @torch.inference_mode()
    def admit(
        self, slot: int, vector: npt.NDArray[np.float32] | None, given_map: npt.NDArray[np.float32] | None = None
    ) -> None:
        """Give `slot` the context of a new image: vector [context_size] and map, as in `DrawRequest`."""
        self._memory.give(slot, vector, given_map)
        vectors = self._memory.vectors
        for op in self._ops("admit"):
            sources = [vectors[ref.feature][:, ref.start : ref.stop] for (ref,) in _reads(op)]
            for run in self._bind(op, vectors, sources):
                run()

    @torch.inference_mode()
    def draw(self, block: Block, draws: Draws) -> None:
        """Draw the fronts of `block` in order, as `draws` says and into it."""
        tensors = draws.to(self._device, self._dtype)
        self._memory.begin(block)
        for front, num_places in enumerate(block.num_places):
            self._memory.turn_to(front)
            self._present = {name: tensor[front, :num_places] for name, tensor in tensors.items()}
            if num_places not in self._bound:
                self._forget_if_many()
                self._bound[num_places] = list(self._bind_front(num_places))
            for run in self._bound[num_places]:
                run()
        draws.fetch(tensors)

    def _forget_if_many(self) -> None:
        """Each number of places has tensors of its own, and a large image has fronts of hundreds of numbers."""
        if len(self._bound) >= MAX_BOUND_FRONTS:
            self._bound.clear()
            self._scratch.clear()

    def _ops(self, kind: str, group: int = 0) -> Iterator[Operation]:
        for phase in self.program.phases:
            if (phase.kind, phase.group) == (kind, group):
                yield from phase.ops

    def _bind_front(self, num_places: int) -> Iterator[Run]:
        """All that a front of so many places takes, in order."""
        memory = self._memory
        here = {f.name: memory.zeros(num_places, f.width) for f in self.program.features if f.scope == "map"}
        for group in range(len(self.program.heads) + 1):
            for op in self._ops("pixel", group):
                sources = []
                for refs in _reads(op):
                    if _is_near(refs[0]) and refs[0].feature in here:
                        sources.append(_channels(here, refs[0]))
                        continue
                    gathered = memory.zeros(num_places * len(refs), refs[0].width)
                    yield memory.gather(refs, gathered)
                    sources.append(gathered.view(num_places, -1))
                yield from self._bind(op, here, sources)
                for out in _outs(op):
                    yield from memory.scatter(out, _channels(here, out))
            if group < len(self.program.heads):
                yield self._bind_head(group, here)
                pixel = Ref(PIXEL, self.program.heads[group].start, self.program.heads[group].stop)
                yield from memory.scatter(pixel, _channels(here, pixel))

    def _bind_head(self, group: int, here: dict[str, Tensor]) -> Run:
        head, draw = self.program.heads[group], self._heads[group]
        own, inputs = slice(head.start, head.stop), [_channels(here, ref) for ref in head.inputs]
        pixel = here[PIXEL][:, own]

        def run() -> None:
            now = self._present
            values, log_prob = draw(
                inputs, now["numbers"][:, :, own], now["temperature"], now["known"][:, own], now["is_known"]
            )
            pixel.copy_(values)
            now["values"][:, own] = values
            now["log_probs"][:, own] = log_prob

        return run

    def _bind(self, op: Operation, here: dict[str, Tensor], sources: list[Tensor]) -> list[Run]:
        if not isinstance(op, Affine):
            return bind_pointwise(op.kind, [_channels(here, out) for out in op.outs], sources, self._scratch)
        if id(op) not in self._packed:
            weights = [self._parameters[tap.weight] for tap in op.taps]
            bias = None if op.bias is None else self._parameters[op.bias]
            self._packed[id(op)] = pack(weights or [self._memory.zeros(op.out.width, 0)], bias)
        out = _channels(here, op.out)
        return bind_affine(out, sources, *self._packed[id(op)], out if op.accumulate else None, self._scratch)


def _channels(values: dict[str, Tensor], ref: Ref) -> Tensor:
    return values[ref.feature][:, ref.start : ref.stop]


def _outs(op: Operation) -> tuple[Ref, ...]:
    return (op.out,) if isinstance(op, Affine) else op.outs


def _is_near(ref: Ref) -> bool:
    return (ref.dy, ref.dx) == (0, 0)


def _reads(op: Operation) -> Iterator[tuple[Ref, ...]]:
    """What an operation reads, in order; together the same channels at the offsets of taps that follow each other."""
    if not isinstance(op, Affine):
        yield from ((ref,) for ref in op.ins)
        return
    sources = (tap.source for tap in op.taps)
    for _, refs in groupby(sources, lambda ref: (ref.feature, ref.start, ref.stop, _is_near(ref))):
        together = tuple(refs)
        yield from [together] if not _is_near(together[0]) else [(ref,) for ref in together]
