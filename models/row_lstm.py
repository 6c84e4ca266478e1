"""Row LSTM (van den Oord et al. 2016, "Pixel Recurrent Neural Networks", arXiv 1601.06759, section 3.1 and eq. 3).

    [o, f, i, g] = K_ss * h_{r-1} + K_is * x_r + V y     K_is: columns c - 1, c (3x1, mask B); K_ss: c - 1, c, c + 1
    c_r = sig(f) c_{r-1} + sig(i) tanh(g),   h_r = sig(o) tanh(c_r)

y is the context vector (a one-hot class), the same at every position: our addition. A layer sees a triangle that opens
upwards, a column more to each side for every row; to the left, further layers widen it. To the right, k rows up,
nothing beyond column c + k - 1 + first_kernel // 2 is seen, at any depth. The layers' sum and their 1x1 maps are those
of `models.recurrent`; coding, groups, first convolution and output those of `models.pixel_rnn`.

Tensors of layer l, all under `layers.l.`:
  - `inputs.weight` [4h, 2h, 1, 2] (K_is; the last column is c itself), `inputs.bias` [4h];
  - `state.weight` [4h, h, 1, 3] (K_ss, on the row above; unmasked, for that row is finished);
  - `initial_hidden`, `initial_cell` [h]: h and c above row 0, at every column and beyond the sides; in later rows h
    beyond the sides is 0; left of column 0, x is 0;
  - `condition.weight` (V) [4h, classes].
"""

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.context_map import ContextMap
from models.lstm_scan import Plan, Step, scan
from models.masked import group_mask
from models.program import Program
from models.recurrent import RecurrentLayer, RecurrentPixelRNN, initial_state
from models.row_lstm_program import build_program


class RowLSTMLayer(RecurrentLayer):
    """States of all rows, from the top down; all columns of a row at once."""

    def __init__(self, width: int, groups: int, context_size: int, has_skip: bool) -> None:
        super().__init__(width, groups, context_size, has_skip)
        self.inputs = RowInputs(2 * width, width, groups)
        self.state = nn.Conv2d(width, 4 * width, (1, 3), bias=False)
        self.initial_hidden, self.initial_cell = (initial_state(width) for _ in range(2))
        self.condition = nn.Linear(context_size, 4 * width, bias=False) if context_size else None

    def forward(self, x: Tensor, context: Tensor | None, compiled: bool) -> Tensor:
        rows, cols = x.shape[:2]
        pre = self.inputs(x)
        if self.condition is not None:
            pre = pre + self.condition(context)
        weight = self.state.weight[:, :, 0].permute(2, 1, 0)
        initial = self.initial_hidden[None], self.initial_cell[None]
        hidden = scan(pre.flatten(0, 1)[None], weight[None], initial, row_plan(rows, cols), compiled)
        return hidden.view(rows, cols, *hidden.shape[2:])


class RowInputs(nn.Module):
    """The input-to-state convolution over columns c - 1 and c, to the four gates, with mask B between groups at c."""

    mask: Tensor

    def __init__(self, in_width: int, width: int, groups: int) -> None:
        super().__init__()
        conv = nn.Conv2d(in_width, 4 * width, (1, 2))
        self.weight, self.bias = conv.weight, conv.bias
        mask = torch.ones_like(conv.weight)
        mask[:, :, 0, 1] = group_mask(in_width, width, groups, strict=False).repeat(4, 1)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[row, col, batch, in] -> [row, col, batch, 4h]."""
        left = F.pad(x[:, :-1], (0, 0, 0, 0, 1, 0))
        weight = (self.weight * self.mask)[:, :, 0].transpose(1, 2).flatten(1)
        return F.linear(torch.cat([left, x], -1), weight, self.bias)


@functools.lru_cache(maxsize=64)
def row_plan(rows: int, cols: int) -> Plan:
    """A row a step; neighbours 0, 1, 2 are columns c - 1, c, c + 1 of the row above.

    Slots: the row above the image, then every row, each with a column more at both sides.
    """
    line = cols + 2
    steps = [Step(r * cols, cols, (r + 1) * line + 1, (r * line, r * line + 1, r * line + 2)) for r in range(rows)]
    return Plan((rows + 1) * line, torch.arange(line), torch.arange(rows * cols), tuple(steps), cell=1)


class RowLSTM(RecurrentPixelRNN):
    """A Row LSTM; arguments as `RecurrentPixelRNN`.

    >>> model = RowLSTM(channels=1, num_levels=2, width=4, num_layers=2)
    >>> model.log_prob(torch.zeros(5, 1, 6, 7, dtype=torch.uint8)).shape
    torch.Size([5])
    """

    layer = RowLSTMLayer

    def program(self, context_map: ContextMap | None = None) -> Program:
        return build_program(self, context_map)
