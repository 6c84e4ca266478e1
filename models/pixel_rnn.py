"""What the PixelRNN family shares (van den Oord et al. 2016, "Pixel Recurrent Neural Networks", arXiv 1601.06759).

    x_0 = K_A * coded image   (first_kernel x first_kernel, mask A, 2h maps)
    x_l = x_{l-1} + f_l(x_{l-1})   for every layer
    logits = O_2 relu(O_1 relu(x_L))   (1x1 convolutions)

The layers are told the context y. With `direct`, x_0 has D_1 y added to it, and what O_1 makes D_2 y: a shorter way for
what the context says outright, such as the level of a pixel (our addition).

Conventions that another implementation needs in order to load the weights:
  - input coding 2 x / (num_levels - 1) - 1; with `digits` the binary digits of x follow it, the lowest first, as -1 and
    1 (our addition: a net that is told one number learns 256 thresholds before it can repeat a neighbour's level, as
    flat drawings want; a digit each is enough). Outside the image all coded inputs and the maps that a convolution
    reads are 0;
  - channel groups: with G = channels, every map of P channels is G contiguous blocks (R, G, B). At the present pixel
    block j reads input channels < j (mask A, `first`) or blocks <= j (mask B, everywhere else); at other positions
    everything is read;
  - `first.weight` [2h, inputs, rows, cols], an input for each coded number, channel by channel: its last row is the
    present one, its middle column the present one, and what lies right of it in that row is masked. `hidden` is O_1,
    `logits` O_2, in the order channel, level; `first_condition` is D_1, `hidden_condition` D_2.
"""

from abc import abstractmethod
from typing import TYPE_CHECKING

import torch.nn.functional as F
from torch import Tensor, nn

from models.base import Model, ModelError
from models.heads import levels_log_prob
from models.masked import CausalConv, GroupedConv1x1, check_kernel, code, code_with_digits, num_digits
from models.program import Program

if TYPE_CHECKING:
    from models.context_map import ContextMap


class PixelRNN(Model):
    """The first convolution and the output; a subclass adds the layers between.

    Args:
        channels: 1 or 3. num_levels: 2 (Bernoulli head) or up to 256 (categorical head).
        width: h, a multiple of channels; the maps between layers have 2h channels.
        first_kernel: odd size of the first neighbourhood.
        head_width: maps of the hidden output layer, a multiple of channels.
        num_classes: length of the context, 0 for an unconditional model. The context is one vector an image, such as a
            one-hot class; or a vector of its own for every pixel, as in the conditional net of `models.multi_scale`.
        dropout: rate on the maps that every layer adds, while training.
        digits: tell the net the binary digits of each level, too.
        direct: tell the first maps and the hidden output layer the context, too.
    """

    def __init__(
        self,
        channels: int,
        num_levels: int,
        width: int,
        first_kernel: int,
        head_width: int,
        num_classes: int,
        dropout: float,
        digits: bool,
        direct: bool,
    ) -> None:
        super().__init__()
        if channels not in (1, 3):
            raise ModelError(f"channels must be 1 or 3, not {channels}")
        if not 2 <= num_levels <= 256:
            raise ModelError(f"num_levels must be 2..256, not {num_levels}")
        if width < 1 or width % channels or head_width < 1 or head_width % channels:
            raise ModelError(f"width and head_width must be positive multiples of {channels}")
        if digits and num_levels == 2:
            raise ModelError("levels 0 and 1 are their own binary digits: digits must be false")
        if direct and not num_classes:
            raise ModelError("an unconditional model is told nothing: direct must be false")
        check_kernel(first_kernel)
        self.channels, self.num_levels, self.context_size = channels, num_levels, num_classes
        self.width, self.head_width, self.first_kernel, self.dropout = width, head_width, first_kernel, dropout
        self.digits, self.direct = digits, direct
        inputs = channels * (1 + num_digits(num_levels) if digits else 1)
        self.first = CausalConv(inputs, 2 * width, first_kernel, channels, is_first=True)
        self.hidden = GroupedConv1x1(2 * width, head_width, channels)
        self.first_condition = nn.Linear(num_classes, 2 * width, bias=False) if direct else None
        self.hidden_condition = nn.Linear(num_classes, head_width, bias=False) if direct else None
        self.logits = GroupedConv1x1(head_width, channels * (1 if num_levels == 2 else num_levels), channels)

    @abstractmethod
    def program(self, context_map: "ContextMap | None" = None) -> Program:
        """`context_map`: what makes the context of every pixel, in place of a given vector."""

    @abstractmethod
    def body(self, x: Tensor, context: Tensor | None) -> Tensor:
        """All layers: maps [batch, 2h, row, col] -> the same shape. `context`: [batch, size, row or 1, col or 1]."""

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits [batch, channel, row, col] (Bernoulli) or [batch, channel, level, row, col] for levels x.

        `context`: [batch, size], or [batch, size, row, col].
        """
        context = self.context_of_pixels(x, context)
        return self.output(self.maps(x, context), context)

    def context_of_pixels(self, x: Tensor, context: Tensor | None) -> Tensor | None:
        """The context as [batch, size, row or 1, col or 1], both arguments checked."""
        if context is not None and context.dim() == 2:
            context = context[:, :, None, None]
        elif context is not None and context.shape[2:] != x.shape[2:]:
            raise ModelError(f"a context of every pixel of {tuple(x.shape)} cannot be {tuple(context.shape)}")
        self.check_input(x, None if context is None else context[:, :, 0, 0])
        return context

    def maps(self, x: Tensor, context: Tensor | None) -> Tensor:
        """What the output reads, [batch, 2h, row, col]; `context` from `context_of_pixels`."""
        coded = (code_with_digits if self.digits else code)(x, self.num_levels, self.hidden.weight.dtype)
        return self.body(_told(self.first(coded), self.first_condition, context), context)

    def output(self, maps: Tensor, context: Tensor | None) -> Tensor:
        """Logits as `forward`, of maps [batch, 2h, row, col]; `context` from `context_of_pixels`."""
        hidden = _told(self.hidden(F.relu(maps)), self.hidden_condition, context)
        out: Tensor = self.logits(F.relu(hidden))
        batch, _, rows, cols = out.shape
        return out if self.num_levels == 2 else out.view(batch, self.channels, self.num_levels, rows, cols)

    def log_prob_map(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        context = self.context_of_pixels(x, context)
        return self.output_log_prob(self.maps(x, context), context, x)

    def output_log_prob(self, maps: Tensor, context: Tensor | None, x: Tensor) -> Tensor:
        """log p of levels x [batch, channel, row, col] in nats, given maps [batch, 2h, row, col] and their context."""
        return levels_log_prob(self.output(maps, context), x)


def _told(maps: Tensor, condition: nn.Linear | None, context: Tensor | None) -> Tensor:
    """Maps [batch, out, row, col], and what a pixel's own context adds to them."""
    return maps if condition is None or context is None else maps + F.conv2d(context, condition.weight[..., None, None])
