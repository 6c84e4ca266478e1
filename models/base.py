"""What every model is: one conditional p(x_i | x_<i, context), shown in two ways."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from models.program import Program, Stage
from models.sizes import GivenMapSizes


class ModelError(ValueError):
    """Sizes that make no model, or an input that does not fit it."""


class Model(nn.Module, ABC):
    """A normalised distribution over images, in raster order.

    Attributes:
        channels: channels of an image, 1 or 3.
        num_levels: levels of a channel; an image holds integers 0..num_levels-1. 0 for a density: real numbers.
        context_size: length of the context vector, 0 for a model that takes none.
        given_map: the map that is the context instead, of a model that is told one.
    """

    channels: int
    num_levels: int
    context_size: int
    given_map: GivenMapSizes | None = None

    @abstractmethod
    def sizes(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON values: what `config.json` of a bundle keeps."""

    @abstractmethod
    def log_prob_map(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """log p of every sub-pixel given those before it, in nats; of a density, in the unit of its pixels.

        Args:
            x: integer levels, or a density's real numbers, [batch, channel, row, col].
            context: [batch, context_size]; or a map [batch, given_map.channels, row, col] of numbers, its rows and
                columns those of `given_map.shape`; or None for an unconditional model.

        Returns:
            [batch, channel, row, col].
        """

    @abstractmethod
    def program(self) -> Program:
        """The same conditional as a step program, with the present weights."""

    def stages(self) -> tuple[Stage, ...]:
        """The step programs that draw an image, one after the other; of all but a chain it is one."""
        return (Stage(self.program()),)

    def stage_map(self, stage: int, x: Tensor, context: Tensor | None = None, given: Tensor | None = None) -> Tensor:
        """`log_prob_map` of what a stage draws; after the first, given images of the stage before."""
        return self.log_prob_map(x, context)

    def log_prob(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        """log p(x | context) in nats, [batch]; arguments as `log_prob_map`."""
        return self.log_prob_map(x, context).sum((1, 2, 3))

    def compiled_log_prob(self) -> Callable[..., Tensor]:
        """`log_prob` for training, sped up by torch.compile (needs a C++ compiler)."""
        return torch.compile(self.log_prob)

    def check_input(self, x: Tensor, context: Tensor | None) -> None:
        """Raise `ModelError` unless x and context have the shapes of this model."""
        if x.dim() != 4 or x.shape[1] != self.channels:
            raise ModelError(f"x must be [batch, {self.channels}, row, col], not {tuple(x.shape)}")
        told: tuple[int, ...] = (self.context_size,) if self.context_size else ()
        if self.given_map is not None:
            told = self.given_map.channels, *self.given_map.shape(x.shape[2], x.shape[3])
        if (context is not None) != bool(told):
            raise ModelError(f"this model takes {'a context' if told else 'no context'}")
        if context is not None and context.shape != (x.shape[0], *told):
            raise ModelError(f"context must be {[x.shape[0], *told]}, not {tuple(context.shape)}")


def bits_per_dim(log_prob: Tensor, num_dims: int) -> Tensor:
    """-log_prob [...] (nats an image) as bits per sub-pixel; num_dims = channels * rows * cols."""
    return -log_prob / (num_dims * math.log(2))
