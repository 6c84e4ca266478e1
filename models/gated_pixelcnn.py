"""Gated PixelCNN (van den Oord et al. 2016, "Conditional Image Generation with PixelCNN Decoders", arXiv 1606.05328).

    vertical    u_l = K_v * v_{l-1},  v_l = gate(u_l + V_l h)
    horizontal  g_l = gate(K_h * h_{l-1} + L_l u_l + H_l h),  h_l = R_l g_l + h_{l-1}   (layer 0: no h_{l-1} is added)
    output      logits = O_2 relu(O_1 relu(sum_l S_l g_l)),   gate(f, g) = tanh(f) sigmoid(g)   (eq. 2)

h is the context vector (a one-hot class, tags, an embedding), added in every layer, the same at every position
(eq. 4). Of a model that is told a map, h is a vector of every position's own, which deconvolutions make of the map
(`models.context_map`; eq. 5, where it is called s): V and H are then 1x1 convolutions, not masked. The vertical stack
looks at rows above only: layer 0 reads rows r-n//2-... to r-1, later layers rows up to r of the layer before. So
v_l[r, c] depends on rows < r, it needs no further shift where it joins the horizontal stack, and there is no blind
spot: every earlier pixel inside the receptive field is seen.

Conventions that another implementation needs in order to load the weights:
  - input coding 2 x / (num_levels - 1) - 1; outside the image the coded input and all feature maps are 0;
  - channel groups: with G = channels, every feature map of P channels is G contiguous blocks (R, G, B); gate inputs of
    2P channels are G contiguous blocks of (f, g) halves. At the present pixel block j reads input channels < j (mask A,
    layer 0) or blocks <= j (mask B); elsewhere everything is read;
  - the last layer has no R, and its `condition.weight` holds H only; elsewhere it holds V, then H;
  - `context_map.*`: the deconvolutions of a map;
  - `vertical.weight` [2P, in, rows, cols], its last row is row r - 1 (layer 0) or row r (later), cols centred on c;
    `horizontal.weight` [2P, in, 1, cols], its last column is c itself; dilation applies to rows and columns alike.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import Model, ModelError
from models.context_map import ContextMap
from models.gated_pixelcnn_program import build_program
from models.heads import levels_log_prob
from models.masked import GroupedConv1x1, code, group_mask
from models.program import Program
from models.sizes import GivenMapSizes
from models.strict_json import as_json


class GatedPixelCNN(Model):
    """A Gated PixelCNN for images of any height and width.

    Args:
        channels: 1 or 3. num_levels: 2 (Bernoulli head) or up to 256 (categorical head).
        width: feature maps P of each stack, a multiple of channels.
        dilations: one layer each after the first.
        first_kernel, kernel: odd sizes of the first and the later (square) neighbourhoods.
        head_width: maps of the hidden output layer, a multiple of channels.
        num_classes: length of the context vector, 0 for an unconditional model; a one-hot class, or any numbers.
        dropout: rate on every gated horizontal map, while training.
        given_map: fields of `models.sizes.GivenMapSizes` if the context is a map, in place of a vector.

    >>> model = GatedPixelCNN(channels=1, num_levels=2, width=4, dilations=[1, 2])
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
        head_width: int = 64,
        num_classes: int = 0,
        dropout: float = 0.0,
        given_map: Mapping[str, int] | None = None,
    ) -> None:
        super().__init__()
        _check_sizes(channels, num_levels, width, head_width, (first_kernel, kernel), dilations)
        self.channels, self.num_levels, self.context_size = channels, num_levels, num_classes
        self.width, self.head_width, self.dropout = width, head_width, dropout
        self.first_kernel, self.kernel, self.dilations = first_kernel, kernel, list(dilations)
        self.given_map = None if given_map is None else GivenMapSizes(**given_map)
        self.context_map = None if self.given_map is None else _context_map(self.given_map, num_classes)
        told = num_classes if self.given_map is None else self.given_map.width
        self.layers = nn.ModuleList()
        for index, dilation in enumerate((None, *dilations)):
            below, size = (channels, first_kernel) if dilation is None else (width, kernel)
            is_last = index == len(dilations)
            self.layers.append(GatedLayer(below, width, size, dilation, told, channels, is_last))
        self.hidden = GroupedConv1x1(width, head_width, channels)
        self.logits = GroupedConv1x1(head_width, channels * (1 if num_levels == 2 else num_levels), channels)

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
            **({"given_map": as_json(self.given_map)} if self.given_map else {}),
        }

    def forward(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """Logits [batch, channel, row, col] (Bernoulli) or [batch, channel, level, row, col] for levels x."""
        self.check_input(x, context)
        if context is not None:
            context = self.context_map(context, None, *x.shape[2:]) if self.context_map else context[:, :, None, None]
        vertical = horizontal = code(x, self.num_levels, self.hidden.weight.dtype)
        skips = torch.zeros(())
        for module in self.layers:
            layer = cast(GatedLayer, module)
            vertical, horizontal, gated = layer(vertical, horizontal, context)
            skips = skips + layer.skip(F.dropout(gated, self.dropout, self.training))
        out: Tensor = self.logits(F.relu(self.hidden(F.relu(skips))))
        batch, _, rows, cols = out.shape
        return out if self.num_levels == 2 else out.view(batch, self.channels, self.num_levels, rows, cols)

    def log_prob_map(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        return levels_log_prob(self(x, context), x)

    def program(self) -> Program:
        return build_program(self)


class GatedLayer(nn.Module):
    """One layer of both stacks.

    `dilation` None makes the first layer: mask A, rows above only, no residual. The last layer has no maps to hand on:
    no `residual`, and a `condition` for the horizontal stack alone.
    """

    def __init__(
        self,
        in_width: int,
        width: int,
        kernel: int,
        dilation: int | None,
        context_size: int,
        groups: int,
        is_last: bool,
    ) -> None:
        super().__init__()
        half = kernel // 2
        self.is_first, self.dilation = dilation is None, dilation or 1
        self.groups = groups
        self.reach = half * self.dilation
        rows = half if self.is_first else half + 1
        self.vertical = nn.Conv2d(in_width, 2 * width, (rows, kernel), dilation=self.dilation)
        self.horizontal = MaskedRowConv(in_width, 2 * width, half + 1, self.dilation, groups, self.is_first)
        self.link = nn.Conv2d(2 * width, 2 * width, 1)
        self.residual = None if is_last else GroupedConv1x1(width, width, groups)
        self.skip = GroupedConv1x1(width, width, groups)
        stacks = 1 if is_last else 2
        self.condition = nn.Linear(context_size, stacks * 2 * width, bias=False) if context_size else None

    def forward(self, vertical: Tensor, horizontal: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor, Tensor]:
        """Maps [batch, width, row, col] of both stacks -> the next ones, and the gated horizontal map.

        `context`: [batch, size, row or 1, col or 1]. The last layer returns the maps as it got them.
        """
        reach = self.reach
        if self.is_first:  # rows r - reach .. r - 1: pad one row more than the kernel covers, drop the last
            u = self.vertical(F.pad(vertical, (reach, reach, reach, 0))[:, :, :-1])
        else:
            u = self.vertical(F.pad(vertical, (reach, reach, reach, 0)))
        w = self.horizontal(horizontal) + self.link(u)
        contexts = None
        if self.condition is not None and context is not None:
            contexts = self.condition(context.movedim(1, -1)).movedim(-1, 1).split(w.shape[1], 1)
        gated = gate(w if contexts is None else w + contexts[-1], self.groups)
        if self.residual is None:
            return vertical, horizontal, gated
        out = self.residual(gated)
        u = u if contexts is None else u + contexts[0]
        return gate(u, self.groups), out if self.is_first else out + horizontal, gated


class MaskedRowConv(nn.Module):
    """A convolution along the row over columns c - reach .. c, with mask A or B between channel groups at c."""

    mask: Tensor

    def __init__(self, in_width: int, out_width: int, cols: int, dilation: int, groups: int, is_first: bool) -> None:
        super().__init__()
        conv = nn.Conv2d(in_width, out_width, (1, cols))
        self.weight, self.bias = conv.weight, conv.bias
        self.dilation, self.reach = dilation, (cols - 1) * dilation
        mask = torch.ones_like(conv.weight)
        mask[:, :, 0, -1] = group_mask(in_width, out_width, groups, strict=is_first)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(F.pad(x, (self.reach, 0)), self.weight * self.mask, self.bias, dilation=(1, self.dilation))


def gate(u: Tensor, groups: int) -> Tensor:
    """tanh(f) * sigmoid(g) for u [batch, 2P, row, col], G blocks of (f, g); eq. 2."""
    if groups == 1:
        f, g = u.chunk(2, 1)
    else:
        f, g = (t.flatten(1, 2) for t in u.view(len(u), groups, 2, -1, *u.shape[2:]).unbind(2))
    return torch.tanh(f) * torch.sigmoid(g)


def _context_map(sizes: GivenMapSizes, num_classes: int) -> ContextMap:
    if num_classes:
        raise ModelError("a model is told a vector or a map, not both")
    return ContextMap(sizes.channels, sizes.width, sizes.level, sizes.kernel, 0)


def _check_sizes(
    channels: int, num_levels: int, width: int, head_width: int, kernels: tuple[int, int], dilations: Sequence[int]
) -> None:
    if channels not in (1, 3):
        raise ModelError(f"channels must be 1 or 3, not {channels}")
    if not 2 <= num_levels <= 256:
        raise ModelError(f"num_levels must be 2..256, not {num_levels}")
    if width < 1 or width % channels or head_width < 1 or head_width % channels:
        raise ModelError(f"width and head_width must be positive multiples of {channels}")
    if any(k < 3 or k % 2 == 0 for k in kernels):
        raise ModelError("kernel sizes must be odd and at least 3")
    if any(d < 1 for d in dilations):
        raise ModelError("dilations must be at least 1")
