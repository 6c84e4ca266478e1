"""Convolutions that keep raster order: masks over positions, and between the channel groups of one pixel."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import ModelError


class CausalConv(nn.Module):
    """A convolution over rows r - (rows - 1) d .. r and columns c - half d .. c + half d that sees no later pixel.

    `weight` [out, in, rows, cols]: its last row is row r, of which only columns <= c count; its middle column is c.
    At (r, c) itself mask A (`is_first`) or B between channel groups. Outside the image the input is 0.
    """

    mask: Tensor

    def __init__(
        self, in_width: int, out_width: int, kernel: int, groups: int, dilation: int = 1, is_first: bool = False
    ) -> None:
        super().__init__()
        half = kernel // 2
        conv = nn.Conv2d(in_width, out_width, (half + 1, kernel))
        self.weight, self.bias = conv.weight, conv.bias
        self.dilation, self.reach, self.is_first = dilation, half * dilation, is_first
        mask = torch.ones_like(conv.weight)
        mask[:, :, -1, half + 1 :] = 0
        mask[:, :, -1, half] = group_mask(in_width, out_width, groups, strict=is_first)
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, in, row, col] -> [batch, out, row, col]."""
        padded = F.pad(x, (self.reach, self.reach, self.reach, 0))
        return F.conv2d(padded, self.weight * self.mask, self.bias, dilation=self.dilation)


class GroupedConv1x1(nn.Module):
    """A 1x1 convolution with mask B between channel groups."""

    mask: Tensor

    def __init__(self, in_width: int, out_width: int, groups: int) -> None:
        super().__init__()
        conv = nn.Conv2d(in_width, out_width, 1)
        self.weight, self.bias = conv.weight, conv.bias
        mask = group_mask(in_width, out_width, groups, strict=False)[:, :, None]
        self.register_buffer("mask", mask[..., None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.conv2d(x, self.weight * self.mask, self.bias)


class GroupedLinear(nn.Module):
    """The same for maps whose channels come last, [..., in] -> [..., out]; `weight` is [out, in]."""

    mask: Tensor

    def __init__(self, in_width: int, out_width: int, groups: int) -> None:
        super().__init__()
        linear = nn.Linear(in_width, out_width)
        self.weight, self.bias = linear.weight, linear.bias
        self.register_buffer("mask", group_mask(in_width, out_width, groups, strict=False), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.mask, self.bias)


def check_kernel(size: int) -> None:
    """Raise `ModelError` unless a kernel has a middle and neighbours."""
    if size < 3 or size % 2 == 0:
        raise ModelError(f"kernel sizes must be odd and at least 3, not {size}")


def group_mask(in_width: int, out_width: int, groups: int, strict: bool) -> Tensor:
    """Mask [out, in]: 1 where the input's group comes before the output's, or is the same unless `strict`."""
    in_group = torch.arange(in_width) * groups // in_width
    out_group = torch.arange(out_width) * groups // out_width
    order = in_group[None, :] < out_group[:, None] if strict else in_group[None, :] <= out_group[:, None]
    return order.to(torch.get_default_dtype())


def group_slice(group: int, width: int, groups: int) -> slice:
    """The channels of a group: one of `groups` contiguous blocks."""
    return slice(group * width // groups, (group + 1) * width // groups)


def code(x: Tensor, num_levels: int, dtype: torch.dtype) -> Tensor:
    """Levels 0..num_levels-1 -> [-1, 1]."""
    return x.to(dtype) * (2 / (num_levels - 1)) - 1


def code_with_digits(x: Tensor, num_levels: int, dtype: torch.dtype) -> Tensor:
    """Levels [batch, channel, row, col] -> [batch, channel * (1 + digits), row, col].

    Of each channel its code and its binary digits, the lowest first, as -1 and 1.
    """
    digits = torch.stack([x.long() >> place & 1 for place in range(num_digits(num_levels))], 2).to(dtype)
    return torch.cat([code(x, num_levels, dtype)[:, :, None], 2 * digits - 1], 2).flatten(1, 2)


def num_digits(num_levels: int) -> int:
    """Binary digits of the highest level."""
    return (num_levels - 1).bit_length()
