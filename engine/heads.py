"""Exact samplers of the output distributions: inverse of the cumulative distribution at one uniform number a channel.

Every sampler takes known values too: they are kept, not drawn, and their log-probability counts the same. All of them
compute in float64, each slot's result by itself (see `engine/elementwise.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from torch import Tensor

from engine.logistic_mixture import draw_logistic_mixture
from engine.mcgsm import Mcgsm
from engine.table import draw_from_table
from models.program import Head, Program

Draw = Callable[[Sequence[Tensor], Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(inputs, each [slot, width], uniforms [slot, number, channel], temperature [slot], known [slot, channel],
is known [slot]) -> (values [slot, channel], log p of them in nats at temperature 1 [slot, channel])"""


def numbers_per_channel(program: Program) -> int:
    """Uniform numbers that drawing one channel takes: a density chooses its component, then a value."""
    return 2 if program.is_density else 1


def bind_head(program: Program, head: Head, parameters: Mapping[str, Tensor]) -> Draw:
    """The sampler of a head that is none of `engine.bernoulli`.

    `parameters` holds the program's, on the device and in the precision of the features.
    """
    if head.kind == "mcgsm":
        return Mcgsm([parameters[name] for name in head.parameters]).draw
    if head.kind == "logistic_mixture":
        return partial(draw_logistic_mixture, program.num_levels)
    return draw_categorical


def draw_categorical(
    inputs: Sequence[Tensor], u: Tensor, temperature: Tensor, known: Tensor, is_known: Tensor
) -> tuple[Tensor, Tensor]:
    """The first level whose cumulative probability exceeds u."""
    value, log_prob = draw_from_table(inputs[0].double(), u[:, 0, 0], temperature, known[:, 0], is_known)
    return value[:, None], log_prob[:, None]
