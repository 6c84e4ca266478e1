"""Diagonal BiLSTM (van den Oord et al. 2016, "Pixel Recurrent Neural Networks", arXiv 1601.06759, section 3.2).

    left to right:  [o, f, i, g] = K_l * h_l[r, c - 1] + K_a * h_l[r - 1, c] + K_is * x[r, c] + V y
    right to left:  the same with c + 1 in place of c - 1, weights of its own, on the mirrored image
    c' = sig(f) c + sig(i) tanh(g)   (c: of the previous column, as the scan goes),   h = sig(o) tanh(c')
    h[r, c] = h_l[r, c] + h_r[r - 1, c]

y is the context vector (a one-hot class), the same at every position: our addition. The right-to-left map is shifted
down one row before it is added: at row r - 1 it has seen that row from the right end on, all of it past. All pixels of
a diagonal are advanced at once; what the paper's skewing pads is never computed, so no state outside the image changes.

Together the two see every earlier pixel in every layer, **but for one**: maps hold at a pixel what precedes it (mask
A), so the last pixel of the row above (of its channels, the last) enters them only where the first convolution, in the
row below it, reaches it: at columns left of that it is never seen, at any depth.

The layers' sum and their 1x1 maps are those of `models.recurrent`; coding, groups, first convolution and output those
of `models.pixel_rnn`. Tensors of layer l, all under `layers.l.`, first index 0 for left to right, 1 for right to left:
  - `inputs_weight` [2, 4h, 2h] (K_is, 1x1 with mask B), `inputs_bias` [2, 4h];
  - `state_weight` [2, 2, 4h, h], second index 0 for the own row (K_l), 1 for the row above (K_a); unmasked, for those
    pixels are finished;
  - `initial_hidden`, `initial_cell` [2, h]: h and c wherever the scan reads outside the image, above it or beside it.
    The shifted map above row 0 is h_r there: `initial_hidden[1]`;
  - `condition.weight` (V) [8h, classes], left to right first.
"""

import functools
import math

import torch
from torch import Tensor, nn

from models.context_map import ContextMap
from models.diagonal_bilstm_program import build_program
from models.lstm_scan import Plan, Step, scan
from models.masked import group_mask
from models.program import Program
from models.recurrent import RecurrentLayer, RecurrentPixelRNN, initial_state


class DiagonalBiLSTMLayer(RecurrentLayer):
    """States of an image, by a scan over diagonals from either upper corner, both at once."""

    mask: Tensor

    def __init__(self, width: int, groups: int, context_size: int, has_skip: bool) -> None:
        super().__init__(width, groups, context_size, has_skip)
        self.inputs_weight = _uniform(2, 4 * width, 2 * width, fan_in=2 * width)
        self.inputs_bias = _uniform(2, 4 * width, fan_in=2 * width)
        self.state_weight = _uniform(2, 2, 4 * width, width, fan_in=2 * width)
        self.initial_hidden, self.initial_cell = initial_state(2, width), initial_state(2, width)
        self.condition = nn.Linear(context_size, 8 * width, bias=False) if context_size else None
        self.register_buffer("mask", group_mask(2 * width, width, groups, strict=False).repeat(4, 1), persistent=False)

    def forward(self, x: Tensor, context: Tensor | None, compiled: bool) -> Tensor:
        rows, cols, batch = x.shape[:3]
        both = torch.stack([x, x.flip(1)]).flatten(1, 3)
        weight = (self.inputs_weight * self.mask).transpose(1, 2)
        pre = torch.baddbmm(self.inputs_bias[:, None].to(both.dtype), both, weight).view(2, rows * cols, batch, -1)
        if self.condition is not None:
            left, right = self.condition(context).chunk(2, -1)
            pre = pre + torch.stack([left, right.flip(1)]).flatten(1, 2)
        initial = self.initial_hidden, self.initial_cell
        hidden = scan(pre, self.state_weight.transpose(2, 3), initial, diagonal_plan(rows, cols), compiled)
        left, right = hidden.view(2, rows, cols, batch, -1)
        above = self.initial_hidden[1].to(right.dtype).expand(1, cols, batch, -1)
        out: Tensor = left + torch.cat([above, right[:-1].flip(1)])
        return out


def _uniform(*shape: int, fan_in: int) -> nn.Parameter:
    bound = 1 / math.sqrt(fan_in)
    return nn.Parameter(torch.empty(shape).uniform_(-bound, bound))


@functools.lru_cache(maxsize=64)
def diagonal_plan(rows: int, cols: int) -> Plan:
    """A diagonal a step, t = row + column; neighbour 0 is the previous column of the own row, 1 the row above.

    Slots: for every diagonal, and for t = -1, one for each row from -1 to `rows`; a row's previous column lies in the
    diagonal before, as does the row above. Slots outside the image hold the initial state, and stay.
    """
    line, steps, order = rows + 1, list[Step](), list[int]()
    for t in range(rows + cols - 1):
        first, last = max(0, t - cols + 1), min(t, rows - 1)
        before = t * line + first  # row first - 1 of diagonal t - 1
        steps.append(Step(len(order), last - first + 1, before + line + 1, (before + 1, before)))
        order += [r * cols + t - r for r in range(first, last + 1)]
    written = {slot for step in steps for slot in range(step.out, step.out + step.num)}
    num_slots = (rows + cols) * line
    initial = torch.tensor([slot for slot in range(num_slots) if slot not in written])
    return Plan(num_slots, initial, torch.tensor(order), tuple(steps), cell=0)


class DiagonalBiLSTM(RecurrentPixelRNN):
    """A Diagonal BiLSTM; arguments as `RecurrentPixelRNN`.

    >>> model = DiagonalBiLSTM(channels=1, num_levels=2, width=4, num_layers=2)
    >>> model.log_prob(torch.zeros(5, 1, 6, 7, dtype=torch.uint8)).shape
    torch.Size([5])
    """

    layer = DiagonalBiLSTMLayer

    def program(self, context_map: ContextMap | None = None) -> Program:
        return build_program(self, context_map)
