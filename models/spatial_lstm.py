"""Spatial LSTM layers (Theis & Bethge 2015, arXiv 1506.03478), scanned along the anti-diagonals of an image.

    u = W x_ij + U_left h_{i,j-1} + U_above h_{i-1,j} + b,   u = (g, o, i, f_left, f_above), five blocks of H
    c = tanh(g) sigmoid(i) + c_{i,j-1} sigmoid(f_left) + c_{i-1,j} sigmoid(f_above), clipped to +- CELL_LIMIT
    h = tanh(c sigmoid(o)),   h = c = 0 outside the image

The tanh stands after the output gate. The clip is ours: without it cells of trained nets overflow on images larger than
the crops that they were trained on. All pixels with one row + column need the diagonal before alone, so a pass is
rows + cols - 1 steps of matrix products. Maps of a pass are in *diagonal order*: [pixel, batch, width], pixels sorted
by row + column, then by row.
"""

import functools
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from models.program import CELL_LIMIT

# (grad, output, grad_input): grad times the derivative at the function's output, in one pass.
_tanh_backward = torch.ops.aten.tanh_backward.grad_input
_sigmoid_backward = torch.ops.aten.sigmoid_backward.grad_input
_clamp_backward = torch.ops.aten.hardtanh_backward.grad_input


class SpatialLSTM(nn.Module):
    """One layer. Parameters: `inputs` W [5H, in] with its bias b [5H]; `left`, `above` U [5H, H].

    U starts uniform on +- 0.08, as all of it did in the paper. W and b start as in any linear layer, on +- in^-1/2, and
    the biases of the forget gates at -1: at 0 the two gates sum to one, and many a cell grows until it says the same
    everywhere. After 120 steps on photographs the biases were worth 0.22 bit/px and the wider W 0.04.
    """

    def __init__(self, in_width: int, width: int) -> None:
        super().__init__()
        self.inputs = nn.Linear(in_width, 5 * width)
        nn.init.constant_(self.inputs.bias[3 * width :], -1.0)
        self.left = nn.Parameter(torch.empty(5 * width, width).uniform_(-0.08, 0.08))
        self.above = nn.Parameter(torch.empty(5 * width, width).uniform_(-0.08, 0.08))

    def forward(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """x [pixel, batch, in] of images of `size` (rows, cols) -> h [pixel, batch, H]; both in diagonal order."""
        if torch.is_grad_enabled():
            return cast(Tensor, _Scan.apply(self.inputs(x), self.left, self.above, size))  # type: ignore[no-untyped-call]
        return self._scan_without_gradient(x, size)

    def _scan_without_gradient(self, x: Tensor, size: tuple[int, int]) -> Tensor:
        """The same with gates and cells of one diagonal only: the gates of 1024 x 1024 pixels take 1.3 GB."""
        width = self.left.shape[1]
        left_t, above_t = self.left.t().contiguous(), self.above.t().contiguous()
        h = x.new_empty(*x.shape[:2], width)
        before, cells = 0, x.new_empty(0, x.shape[1], width)
        for step in _steps(*size):
            start = step.pixels.start
            gates = self.inputs(x[step.pixels])
            with_left, with_above = _shifted(step.with_left, start), _shifted(step.with_above, start)
            _add_product(gates[with_left], h[step.left], left_t)
            _add_product(gates[with_above], h[step.above], above_t)
            gates[..., :width].tanh_()
            gates[..., width:].sigmoid_()
            g, o, i, f_left, f_above = gates.chunk(5, -1)
            cell = g * i
            cell[with_left].addcmul_(cells[_shifted(step.left, before)], f_left[with_left])
            cell[with_above].addcmul_(cells[_shifted(step.above, before)], f_above[with_above])
            cell.clamp_(-CELL_LIMIT, CELL_LIMIT)
            torch.mul(cell, o, out=h[step.pixels]).tanh_()
            before, cells = start, cell
        return h


@functools.lru_cache(maxsize=4)
def diagonal_order(rows: int, cols: int) -> Tensor:
    """[rows * cols]: the raster index of every pixel in diagonal order."""
    with torch.inference_mode(False):  # scoring may ask first, and training meet what it left in the cache
        r, c = torch.meshgrid(torch.arange(rows), torch.arange(cols), indexing="ij")
        return ((r + c) * rows + r).flatten().argsort()


class _Step(NamedTuple):
    """Positions in diagonal order: of a diagonal, and of those pairs (pixel, its neighbour) that both exist."""

    pixels: slice
    with_left: slice
    left: slice
    with_above: slice
    above: slice


@functools.lru_cache(maxsize=4)
def _steps(rows: int, cols: int) -> tuple[_Step, ...]:
    """The diagonals t = row + column in order; on each the rows from max(0, t - cols + 1) to min(rows - 1, t)."""
    steps, start, previous, previous_low = [], 0, 0, 0
    for t in range(rows + cols - 1):
        low, high = max(0, t - cols + 1), min(rows, t + 1)

        def here(first: int, last: int, start: int = start, low: int = low) -> slice:
            return slice(start + first - low, start + last - low)

        def before(first: int, last: int, start: int = previous, low: int = previous_low) -> slice:
            return slice(start + first - low, start + last - low)

        last_with_left = max(low, min(high, t))  # row t itself stands at column 0
        first_with_above = min(high, max(low, 1))
        steps.append(
            _Step(
                here(low, high),
                here(low, last_with_left),
                before(low, last_with_left),
                here(first_with_above, high),
                before(first_with_above - 1, high - 1),
            )
        )
        previous, previous_low, start = start, low, start + high - low
    return tuple(steps)


class _Scan(torch.autograd.Function):
    """The recurrence with its own backward pass, which writes into slices where autograd would build a graph."""

    @staticmethod
    def forward(ctx: Any, inputs: Tensor, left: Tensor, above: Tensor, size: tuple[int, int]) -> Tensor:
        """inputs: W x + b [pixel, batch, 5H]."""
        num_pixels, batch, width = inputs.shape[0], inputs.shape[1], left.shape[1]
        gates = inputs.clone()
        c, h = (inputs.new_zeros(num_pixels, batch, width) for _ in range(2))
        left_t, above_t = left.t().contiguous(), above.t().contiguous()
        for step in _steps(*size):
            _add_product(gates[step.with_left], h[step.left], left_t)
            _add_product(gates[step.with_above], h[step.above], above_t)
            u = gates[step.pixels]
            u[..., :width].tanh_()
            u[..., width:].sigmoid_()
            g, o, i, _, _ = u.chunk(5, -1)
            cell = torch.mul(g, i, out=c[step.pixels])
            c[step.with_left].addcmul_(c[step.left], gates[step.with_left][..., 3 * width : 4 * width])
            c[step.with_above].addcmul_(c[step.above], gates[step.with_above][..., 4 * width :])
            cell.clamp_(-CELL_LIMIT, CELL_LIMIT)
            torch.mul(cell, o, out=h[step.pixels]).tanh_()
        ctx.save_for_backward(gates, c, h, left, above)
        ctx.size = size
        return h

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, Tensor, Tensor, None]:
        gates, c, h, left, above = ctx.saved_tensors
        width = left.shape[1]
        dh, dc = grads[0].contiguous().clone(), torch.zeros_like(c)
        du, dleft, dabove = torch.empty_like(gates), torch.zeros_like(left), torch.zeros_like(above)
        for step in reversed(_steps(*ctx.size)):
            g, o, i, _, _ = gates[step.pixels].chunk(5, -1)
            cell, before_tanh = c[step.pixels], dh[step.pixels]
            _tanh_backward(before_tanh, h[step.pixels], grad_input=before_tanh)
            dcell = dc[step.pixels].addcmul_(before_tanh, o)
            _clamp_backward(dcell, cell, -CELL_LIMIT, CELL_LIMIT, grad_input=dcell)
            du_here = du[step.pixels]
            dg, do, di, _, _ = du_here.chunk(5, -1)
            _tanh_backward(dcell * i, g, grad_input=dg)
            _sigmoid_backward(before_tanh * cell, o, grad_input=do)
            _sigmoid_backward(dcell * g, i, grad_input=di)
            for block, own, other in ((3, step.with_left, step.left), (4, step.with_above, step.above)):
                channels = slice(block * width, (block + 1) * width)
                gate = gates[own][..., channels]
                du_here[..., channels].zero_()
                _sigmoid_backward(dc[own] * c[other], gate, grad_input=du[own][..., channels])
                dc[other].addcmul_(dc[own], gate)
            _add_product(dh[step.left], du[step.with_left], left)
            _add_product(dh[step.above], du[step.with_above], above)
            dleft.addmm_(du[step.with_left].flatten(0, 1).t(), h[step.left].flatten(0, 1))
            dabove.addmm_(du[step.with_above].flatten(0, 1).t(), h[step.above].flatten(0, 1))
        return du, dleft, dabove, None


def _shifted(positions: slice, start: int) -> slice:
    """Positions of an image as positions of a diagonal that begins at `start`."""
    return slice(max(0, positions.start - start), max(0, positions.stop - start))


def _add_product(out: Tensor, x: Tensor, weight: Tensor) -> None:
    """out += x @ weight for contiguous slices [pixel, batch, width]."""
    if len(x):
        out.view(-1, out.shape[-1]).addmm_(x.view(-1, x.shape[-1]), weight)
