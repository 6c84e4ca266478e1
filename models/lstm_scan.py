"""A convolutional LSTM run over an image: every step advances a whole row, or a whole diagonal, of all images at once.

    [o, f, i, g] = pre + sum_k W_k h_k,   c' = sig(f) c + sig(i) tanh(g),   h' = sig(o) tanh(c')

`pre` is the input-to-state part, known for all pixels before the scan begins; h_k are the states of the neighbours, c
that of one of them. States lie in slots, among them some that stand for positions outside the image, laid out so that
the k-th neighbours of all pixels of a step are one block of memory. No state outside the image ever changes.

The gradient is written out, because automatic differentiation of some hundred steps spends most of its time outside the
matrix products; here the gradient of W is one product at the end.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Step:
    """Advances `num` pixels, from place `start`; their states go to slots from `out`, and their k-th neighbours' are in
    slots from `neighbours[k]`."""

    start: int
    num: int
    out: int
    neighbours: tuple[int, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Steps over the pixels of an image.

    Attributes:
        num_slots: how many there are. Those that are neither `initial` nor written by a step stay 0.
        initial: slots that hold the initial states, int64.
        order: raster position of each place, int64 [place].
        cell: the neighbour whose cell state c goes on.
    """

    num_slots: int
    initial: Tensor
    order: Tensor
    steps: tuple[Step, ...]
    cell: int

    def slots(self, neighbour: int | None = None) -> Tensor:
        """The slot of each place, or of a neighbour of each place, int64 [place]."""
        starts = (step.out if neighbour is None else step.neighbours[neighbour] for step in self.steps)
        return torch.cat([torch.arange(a, a + step.num) for a, step in zip(starts, self.steps, strict=True)])


def scan(pre: Tensor, weight: Tensor, initial: tuple[Tensor, Tensor], plan: Plan, compiled: bool = False) -> Tensor:
    """Hidden states of all pixels.

    Args:
        pre: [direction, raster position, batch, 4h], gates in the order o, f, i, g.
        weight: [direction, neighbour, h, 4h].
        initial: initial states h and c, each [direction, h].
        compiled: run the gates through torch.compile; needs a C++ compiler.

    Returns:
        [direction, raster position, batch, h].
    """
    with torch.autocast("cpu", enabled=False):
        hidden, cell = (state.to(pre.dtype) for state in initial)
        out: Tensor = _Scan.apply(pre, weight.to(pre.dtype), hidden, cell, plan, compiled)  # type: ignore[no-untyped-call]
        return out


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, pre: Tensor, weight: Tensor, hidden: Tensor, cell: Tensor, plan: Plan, compiled: bool
    ) -> Tensor:
        forward, _ = _kernels(compiled)
        shape = pre.shape[0], plan.num_slots, pre.shape[2], hidden.shape[-1]
        states, cells = pre.new_zeros(shape), pre.new_zeros(shape, dtype=_wide(pre.dtype))
        states[:, plan.initial], cells[:, plan.initial] = hidden[:, None, None], cell[:, None, None].to(cells.dtype)
        gates, joined = pre.index_select(1, plan.order), weight.flatten(1, 2).contiguous()
        for step in plan.steps:
            own, out = _block(gates, step.start, step.num), (step.out, step.num)
            neighbours = torch.cat([_block(states, start, step.num) for start in step.neighbours], -1)
            own.baddbmm_(neighbours, joined)
            before = _block(cells, step.neighbours[plan.cell], step.num)
            forward(own, before, _block(states, *out), _block(cells, *out))
        ctx.save_for_backward(gates, states, cells, weight)
        ctx.plan, ctx.compiled = plan, compiled
        return states.index_select(1, plan.slots()[plan.order.argsort()])

    @staticmethod
    def backward(ctx: Any, grad_out: Tensor) -> tuple[Tensor | None, ...]:
        gates, states, cells, weight = ctx.saved_tensors
        plan, (_, backward) = ctx.plan, _kernels(ctx.compiled)
        grad_states, grad_cells, grad_gates = torch.zeros_like(states), torch.zeros_like(cells), torch.empty_like(gates)
        grad_states[:, plan.slots()] = grad_out.index_select(1, plan.order)
        back = [w.transpose(1, 2).contiguous() for w in weight.unbind(1)]
        for step in reversed(plan.steps):
            own, before = _block(grad_gates, step.start, step.num), step.neighbours[plan.cell]
            backward(
                _block(gates, step.start, step.num),
                _block(cells, before, step.num),
                _block(grad_states, step.out, step.num),
                _block(grad_cells, step.out, step.num),
                own,
                _block(grad_cells, before, step.num),
            )
            for k, start in enumerate(step.neighbours):
                _block(grad_states, start, step.num).baddbmm_(own, back[k])
        flat = grad_gates.flatten(1, 2)
        neighbours = [states.index_select(1, plan.slots(k)).flatten(1, 2) for k in range(weight.shape[1])]
        grad_weight = torch.stack([torch.bmm(h.transpose(1, 2), flat) for h in neighbours], 1)
        grad_hidden, grad_cell = (x[:, plan.initial].sum((1, 2)).to(grad_out.dtype) for x in (grad_states, grad_cells))
        return grad_gates.index_select(1, plan.order.argsort()), grad_weight, grad_hidden, grad_cell, None, None


def _block(x: Tensor, start: int, num: int) -> Tensor:
    """Places or slots of [direction, place, batch, width], as a view [direction, num * batch, width]."""
    return x.narrow(1, start, num).view(x.shape[0], -1, x.shape[3])


def _wide(dtype: torch.dtype) -> torch.dtype:
    """Cell states add up over the whole image: not in less than float32."""
    return torch.promote_types(dtype, torch.float32)


def _tanh(x: Tensor) -> Tensor:
    """tanh, for the compiler: its own took a third of the time of a step."""
    return 2 * torch.sigmoid(2 * x) - 1


def lstm_forward(gates: Tensor, cell: Tensor, out_hidden: Tensor, out_cell: Tensor) -> None:
    """Writes hidden and cell state after a step, given raw gates [..., 4h] and the cell state before it."""
    o, f, i, g = gates.to(cell.dtype).chunk(4, -1)
    c = torch.sigmoid(f) * cell + torch.sigmoid(i) * _tanh(g)
    out_cell.copy_(c)
    out_hidden.copy_(torch.sigmoid(o) * _tanh(c))


def lstm_backward(
    gates: Tensor, cell: Tensor, grad_hidden: Tensor, grad_cell: Tensor, out_gates: Tensor, out_cell: Tensor
) -> None:
    """Writes the gradients of raw gates and of the cell state before the step, given those of the states after it."""
    o, f, i, g = gates.to(cell.dtype).chunk(4, -1)
    o, f, i, g = torch.sigmoid(o), torch.sigmoid(f), torch.sigmoid(i), _tanh(g)
    t, dh = _tanh(f * cell + i * g), grad_hidden.to(cell.dtype)
    dc = grad_cell + dh * o * (1 - t * t)
    raw = [dh * t * o * (1 - o), dc * cell * f * (1 - f), dc * g * i * (1 - i), dc * i * (1 - g * g)]
    out_gates.copy_(torch.cat(raw, -1))
    out_cell.copy_(dc * f)


@functools.cache
def _kernels(compiled: bool) -> tuple[Callable[..., None], Callable[..., None]]:
    if not compiled:
        return lstm_forward, lstm_backward
    return torch.compile(lstm_forward, dynamic=True), torch.compile(lstm_backward, dynamic=True)
