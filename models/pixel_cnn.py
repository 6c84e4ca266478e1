"""PixelCNN (van den Oord et al. 2016, "Pixel Recurrent Neural Networks", arXiv 1601.06759, section 3.5 and table 1).

    f(x) = U relu(K * relu(D relu(x)) + V c)   a residual block: 1x1 to h, masked convolution h to h, 1x1 to 2h

c is the context vector (a one-hot class), the same at every position: our addition. The frame around the blocks, and
the conventions of coding, groups and first layer, are those of `models.pixel_rnn`.

The model has a **blind spot**: a layer reads the row above no further right than `kernel // 2`, and what it reads there
has looked to the right only in rows above that one. So k rows up, nothing that lies right of the column by more than
first_kernel // 2 + (k - 1) * (kernel // 2) is seen, at any depth. This is a property of the architecture (the Gated
PixelCNN was built to remove it): it is part of p(x), and no fault of the likelihood.

Tensor names of block l: `layers.l.down` (D, 1x1), `layers.l.conv.weight` [h, h, rows, cols] (K; its last row and middle
column are the present ones), `layers.l.up` (U, 1x1), `layers.l.condition.weight` [h, classes] (V). A dilation d spreads
rows and columns alike.
"""

from collections.abc import Sequence
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from models.base import ModelError
from models.context_map import ContextMap
from models.masked import CausalConv, GroupedConv1x1, check_kernel
from models.pixel_cnn_program import build_program
from models.pixel_rnn import PixelRNN
from models.program import Program


class PixelCNN(PixelRNN):
    """A PixelCNN for images of any height and width.

    Args:
        channels, num_levels, width, first_kernel, head_width, num_classes, dropout, digits, direct: of `PixelRNN`.
        dilations: one residual block each.
        kernel: odd size of the blocks' neighbourhoods.

    >>> model = PixelCNN(channels=1, num_levels=2, width=4, dilations=[1, 2])
    >>> model.log_prob(torch.zeros(5, 1, 6, 7, dtype=torch.uint8)).shape
    torch.Size([5])
    """

    def __init__(
        self,
        channels: int,
        num_levels: int,
        width: int,
        dilations: Sequence[int],
        first_kernel: int = 7,
        kernel: int = 3,
        head_width: int = 32,
        num_classes: int = 0,
        dropout: float = 0.0,
        digits: bool = False,
        direct: bool = False,
    ) -> None:
        super().__init__(channels, num_levels, width, first_kernel, head_width, num_classes, dropout, digits, direct)
        check_kernel(kernel)
        if any(d < 1 for d in dilations):
            raise ModelError("dilations must be at least 1")
        self.kernel, self.dilations = kernel, list(dilations)
        self.layers = nn.ModuleList(ResidualBlock(width, kernel, d, channels, num_classes, dropout) for d in dilations)

    def sizes(self) -> dict[str, Any]:
        return {
            "channels": self.channels,
            "num_levels": self.num_levels,
            "width": self.width,
            "dilations": self.dilations,
            "first_kernel": self.first_kernel,
            "kernel": self.kernel,
            "head_width": self.head_width,
            "num_classes": self.context_size,
            "dropout": self.dropout,
            "digits": self.digits,
            "direct": self.direct,
        }

    def body(self, x: Tensor, context: Tensor | None) -> Tensor:
        for block in self.layers:
            x = block(x, context)
        return x

    def program(self, context_map: ContextMap | None = None) -> Program:
        return build_program(self, context_map)


class ResidualBlock(nn.Module):
    """x -> x + f(x), maps [batch, 2h, row, col]."""

    def __init__(self, width: int, kernel: int, dilation: int, groups: int, context_size: int, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.down = GroupedConv1x1(2 * width, width, groups)
        self.conv = CausalConv(width, width, kernel, groups, dilation)
        self.up = GroupedConv1x1(width, 2 * width, groups)
        self.condition = nn.Linear(context_size, width, bias=False) if context_size else None

    def forward(self, x: Tensor, context: Tensor | None) -> Tensor:
        """`context`: as in `PixelRNN.body`."""
        u = self.conv(F.relu(self.down(F.relu(x))))
        if self.condition is not None and context is not None:
            u = u + self.condition(context.movedim(1, -1)).movedim(-1, 1)
        out: Tensor = x + self.up(F.dropout(F.relu(u), self.dropout, self.training))
        return out
