"""Multi-scale PixelRNN (van den Oord et al. 2016, "Pixel Recurrent Neural Networks", arXiv 1601.06759, section 3.6).

    s = x[::2^k, ::2^k]                     the coarse image: every 2^k-th row and column of the fine one
    log p(x) >= log p(s) + log p(x | s)     a net for s; deconvolutions of s (`models.context_map`) condition one for x,
                                            and with `map_cells` the pixels of s as they are

Both nets are of the PixelRNN family (`models.pixel_rnn`); to the second, what the deconvolutions make is a context of
every pixel's own. An image is drawn in two stages, s first. The sum is a **lower bound** on the log-probability of x:
the same x may be drawn after another s, for nothing forces the second net to repeat its pixels, though it learns to.

A completion is never an exact sample given the known pixels, whatever the hole: s is drawn first, and is told only of
those that lie on its grid.

Tensors: those of the two nets under `small.` and `large.`, those of the deconvolutions under `upsample.`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from models.base import Model, ModelError
from models.context_map import MAX_LEVEL, ContextMap
from models.diagonal_bilstm import DiagonalBiLSTM
from models.masked import code, code_with_digits, num_digits
from models.pixel_cnn import PixelCNN
from models.pixel_rnn import PixelRNN
from models.program import Program, Stage
from models.row_lstm import RowLSTM

NETS: Mapping[str, type[PixelRNN]] = {"pixel_cnn": PixelCNN, "row_lstm": RowLSTM, "diagonal_bilstm": DiagonalBiLSTM}
"""What a stage may be, by the `kind` in its sizes."""


class MultiScale(Model):
    """Two nets, of a coarse and of a fine image, for images of any height and width.

    Args:
        channels, num_levels, num_classes: as in `PixelRNN`, of both.
        level: k; the coarse image is 2^k times smaller. map_width, map_kernel: see `models.context_map.ContextMap`.
        map_digits: the second net is told the binary digits of the levels of s, too.
        map_cells: it is told the pixels of s around its own as they are; `cells` of `ContextMap`.
        small, large: sizes of the two nets: `kind`, a key of `NETS`, and the arguments of its constructor but for those
            above.

    >>> sizes = {"kind": "row_lstm", "width": 4, "num_layers": 1}
    >>> model = MultiScale(1, 2, level=1, map_width=4, map_kernel=3, small=sizes, large=sizes)
    >>> model.log_prob(torch.zeros(5, 1, 6, 7, dtype=torch.uint8)).shape
    torch.Size([5])
    """

    def __init__(
        self,
        channels: int,
        num_levels: int,
        level: int,
        map_width: int,
        map_kernel: int,
        small: Mapping[str, Any],
        large: Mapping[str, Any],
        num_classes: int = 0,
        map_digits: bool = False,
        map_cells: bool = False,
    ) -> None:
        super().__init__()
        self.channels, self.num_levels, self.context_size = channels, num_levels, num_classes
        if level < 1 or map_width < 1:
            raise ModelError(f"map_width must be positive and level 1 to {MAX_LEVEL}, not {map_width} and {level}")
        if map_digits and num_levels == 2:
            raise ModelError("levels 0 and 1 are their own binary digits: map_digits must be false")
        self.level, self.map_width, self.map_kernel, self.map_digits = level, map_width, map_kernel, map_digits
        self.small = _net(small, channels, num_levels, num_classes)
        numbers = channels * (1 + num_digits(num_levels) if map_digits else 1)
        self.upsample = ContextMap(numbers, map_width, level, map_kernel, num_classes, map_cells)
        self.large = _net(large, channels, num_levels, self.upsample.size)

    def sizes(self) -> dict[str, Any]:
        return {
            "channels": self.channels,
            "num_levels": self.num_levels,
            "level": self.level,
            "map_width": self.map_width,
            "map_kernel": self.map_kernel,
            "map_digits": self.map_digits,
            "map_cells": self.upsample.cells,
            "small": _sizes(self.small),
            "large": _sizes(self.large),
            "num_classes": self.context_size,
        }

    def subsample(self, x: Tensor) -> Tensor:
        """s of images x [..., row, col]."""
        return x[..., :: 1 << self.level, :: 1 << self.level]

    def stage_map(self, stage: int, x: Tensor, context: Tensor | None = None, given: Tensor | None = None) -> Tensor:
        """log p in nats of every sub-pixel given those before it: of coarse images x (stage 0), or of fine ones given
        coarse ones (stage 1); [batch, channel, row, col] as x."""
        self.check_input(x, context)
        if stage == 0:
            return self.small.log_prob_map(x, context)
        small = self.subsample(x) if given is None else given
        return self.large.log_prob_map(x, self.context_map(x, small, context))

    def context_map(self, x: Tensor, small: Tensor, context: Tensor | None) -> Tensor:
        """The context of every pixel of images of the size of x, [batch, size, row, col]."""
        coded = self.coding(small, self.num_levels, self.large.hidden.weight.dtype)
        told: Tensor = self.upsample(coded, context, *x.shape[2:])
        return told

    @property
    def coding(self) -> Callable[[Tensor, int, torch.dtype], Tensor]:
        """From levels of s to the numbers that the second net is told."""
        return code_with_digits if self.map_digits else code

    def log_prob_map(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """The bound, pixel by pixel: at a pixel of s, its log p there is added to that in x."""
        total = self.stage_map(1, x, context).clone()
        self.subsample(total).add_(self.stage_map(0, self.subsample(x), context))
        return total

    def last_log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """log p(x | s) in nats, [batch]: what there is to fit if the net for s comes from elsewhere."""
        return self.stage_map(1, x, context).flatten(1).sum(1)

    def compiled_log_prob(self) -> Callable[..., Tensor]:
        """Both nets as they compile themselves; the deconvolutions are a small part."""
        of_small, of_last = self.small.compiled_log_prob(), self.compiled_last_log_prob()

        def log_prob(x: Tensor, context: Tensor | None = None) -> Tensor:
            total: Tensor = of_small(self.subsample(x).contiguous(), context) + of_last(x, context)
            return total

        return log_prob

    def compiled_last_log_prob(self) -> Callable[..., Tensor]:
        """`last_log_prob`, likewise."""
        of_large = self.large.compiled_log_prob()

        def log_prob(x: Tensor, context: Tensor | None = None) -> Tensor:
            total: Tensor = of_large(x, self.context_map(x, self.subsample(x).contiguous(), context))
            return total

        return log_prob

    def program(self) -> Program:
        """Of the net for x, given s."""
        return self.large.program(self.upsample)

    def stages(self) -> tuple[Stage, ...]:
        levels = torch.arange(self.num_levels)[None, None, None]
        told = self.coding(levels, self.num_levels, torch.float32)[0, :, 0].T
        return Stage(self.small.program(), self.level), Stage(self.program(), told=told)


def _net(sizes: Mapping[str, Any], channels: int, num_levels: int, context_size: int) -> PixelRNN:
    kind = str(sizes.get("kind"))
    if kind not in NETS:
        raise ModelError(f"kind of a net must be one of {', '.join(NETS)}, not {kind!r}")
    own = {name: value for name, value in sizes.items() if name != "kind"}
    return NETS[kind](channels=channels, num_levels=num_levels, num_classes=context_size, **own)


def _sizes(net: PixelRNN) -> dict[str, Any]:
    kind = next(name for name, cls in NETS.items() if type(net) is cls)
    own = net.sizes()
    return {"kind": kind} | {name: own[name] for name in own if name not in ("channels", "num_levels", "num_classes")}
