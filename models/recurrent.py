"""What Row LSTM and Diagonal BiLSTM share: a stack of recurrent layers between first convolution and output.

    x_l = x_{l-1} + U_l h_l   (without `residual`: U_l h_l),   h_l the states of layer l, which reads x_{l-1}
    maps before the output: x_L + sum_l S_l h_l   (without `skip`: x_L)

Tensors: `layers.l.up` (U) and `layers.l.skip` (S) are 1x1 maps [2h, h] with mask B. The rows of every 4h are h each of
o, f, i, g, in that order; each of the four is G blocks, as every map of h channels is.
"""

from abc import abstractmethod
from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import ModelError
from models.masked import GroupedLinear
from models.pixel_rnn import PixelRNN


class RecurrentLayer(nn.Module):
    """States of an image; a subclass computes them.

    Args:
        width: h. groups: channel groups G. context_size: length of the context, or 0. has_skip: with `skip`.
    """

    def __init__(self, width: int, groups: int, context_size: int, has_skip: bool) -> None:
        super().__init__()
        self.width, self.groups, self.context_size = width, groups, context_size
        self.up = GroupedLinear(width, 2 * width, groups)
        self.skip = GroupedLinear(width, 2 * width, groups) if has_skip else None

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor | None, compiled: bool) -> Tensor:
        """Maps [row, col, batch, 2h] -> states [row, col, batch, h].

        `context`: [row or 1, col or 1, batch, size]; `compiled` as in `lstm_scan.scan`.
        """


def initial_state(*shape: int) -> nn.Parameter:
    """A learned state outside the image; it begins small, not zero, so that no test mistakes it for padding."""
    return nn.Parameter(torch.empty(shape).uniform_(-0.1, 0.1))


class RecurrentPixelRNN(PixelRNN):
    """A PixelRNN with recurrent layers, for images of any height and width.

    Args:
        channels, num_levels, width, first_kernel, head_width, num_classes, dropout, digits, direct: see `PixelRNN`.
        num_layers: recurrent layers after the first convolution.
        residual: add the input of a layer to its output.
        skip: connect the states of every layer to the output, too.
    """

    layer: type[RecurrentLayer]

    def __init__(
        self,
        channels: int,
        num_levels: int,
        width: int,
        num_layers: int,
        first_kernel: int = 7,
        head_width: int = 32,
        num_classes: int = 0,
        dropout: float = 0.0,
        residual: bool = True,
        skip: bool = False,
        digits: bool = False,
        direct: bool = False,
    ) -> None:
        super().__init__(channels, num_levels, width, first_kernel, head_width, num_classes, dropout, digits, direct)
        if num_layers < 1:
            raise ModelError(f"num_layers must be at least 1, not {num_layers}")
        self.residual, self.has_skip = residual, skip
        self.layers = nn.ModuleList(self.layer(width, channels, num_classes, skip) for _ in range(num_layers))
        self._compiled = False

    def sizes(self) -> dict[str, Any]:
        return {
            "channels": self.channels,
            "num_levels": self.num_levels,
            "width": self.width,
            "num_layers": len(self.layers),
            "first_kernel": self.first_kernel,
            "head_width": self.head_width,
            "num_classes": self.context_size,
            "dropout": self.dropout,
            "residual": self.residual,
            "skip": self.has_skip,
            "digits": self.digits,
            "direct": self.direct,
        }

    def compiled_log_prob(self) -> Callable[..., Tensor]:
        """A step of the scan is compiled, and the output (four times as fast: nothing is kept of 256 logits a sub-pixel
        but what the gradient needs); a graph of all steps would take many minutes."""
        self._compiled = True
        output_log_prob = torch.compile(self.output_log_prob)

        def log_prob(x: Tensor, context: Tensor | None = None) -> Tensor:
            context = self.context_of_pixels(x, context)
            total: Tensor = output_log_prob(self.maps(x, context), context, x).sum((1, 2, 3))
            return total

        return log_prob

    def body(self, x: Tensor, context: Tensor | None) -> Tensor:
        maps = x.permute(2, 3, 0, 1).contiguous()  # positions first: a step of the scan is one block of memory
        context = None if context is None else context.permute(2, 3, 0, 1)
        skips: list[Tensor] = []
        for module in self.layers:
            layer = cast(RecurrentLayer, module)
            hidden = F.dropout(layer(maps, context, self._compiled), self.dropout, self.training)
            maps = maps + layer.up(hidden) if self.residual else layer.up(hidden)
            if layer.skip is not None:
                skips.append(layer.skip(hidden))
        return sum(skips, maps).permute(2, 3, 0, 1)
