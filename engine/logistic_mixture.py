"""Sampler of the discretised logistic mixture, by the table of all levels' masses; formulas in `models.heads`."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from engine.elementwise import exp, expm1, log, log1p, logsumexp, tanh
from engine.table import draw_from_table

MIN_LOG_SCALE = -7.0
# Below this, log(1 - exp(-d)) of log d is log d - d / 2 to the last bit.
_TINY_LOG_D = -18.0


def draw_logistic_mixture(
    num_levels: int, inputs: Sequence[Tensor], u: Tensor, temperature: Tensor, known: Tensor, is_known: Tensor
) -> tuple[Tensor, Tensor]:
    """Channels in turn, each from its distribution over the levels given those before it; a `Draw` of `engine.heads`.

    A channel drawn or known turns the components' weights into their posterior, at temperature 1 always.
    """
    parameters, channels = inputs[0].double(), known.shape[1]
    num_components = parameters.shape[1] // (3 if channels == 1 else 10)
    weights = torch.log_softmax(parameters[:, :num_components], 1)
    blocks = parameters[:, num_components:].reshape(len(parameters), channels, -1, num_components)
    values: list[Tensor] = []
    log_probs: list[Tensor] = []
    for c in range(channels):
        mean = blocks[:, c, 0]
        for before, value in enumerate(values):
            slope = tanh(blocks[:, c * (c - 1) // 2 + before, 2])
            mean = mean + slope * (value.double() * (2 / (num_levels - 1)) - 1)[:, None]
        masses = log_masses(mean, blocks[:, c, 1], num_levels)
        table = logsumexp(masses + weights[:, None])
        value, log_prob = draw_from_table(table, u[:, 0, c], temperature, known[:, c], is_known)
        chosen = value.long()[:, None, None].expand(-1, 1, num_components)
        weights = weights + masses.gather(1, chosen)[:, 0] - log_prob[:, None]
        values.append(value)
        log_probs.append(log_prob)
    return torch.stack(values, 1), torch.stack(log_probs, 1)


def log_masses(mean: Tensor, log_scale: Tensor, num_levels: int) -> Tensor:
    """log of every level's mass under every component: [slot, component] each -> [slot, level, component]."""
    log_scale = log_scale.clamp(min=MIN_LOG_SCALE)
    edges = (2 * torch.arange(num_levels - 1, dtype=mean.dtype, device=mean.device) + 1) / (num_levels - 1) - 1
    a = (edges[:, None] - mean[:, None]) * exp(-log_scale)[:, None]
    tail = log1p(exp(-a.abs()))
    below, above = a.clamp(max=0) - tail, (-a).clamp(max=0) - tail  # log of the mass on either side of an edge
    inner = _log_one_minus_exp(math.log(2 / (num_levels - 1)) - log_scale)[:, None]
    return torch.cat((below[:, :1], below[:, 1:] + above[:, :-1] + inner, above[:, -1:]), 1)


def _log_one_minus_exp(log_d: Tensor) -> Tensor:
    """log(1 - exp(-d)) of log d."""
    exact = log(-expm1(-exp(log_d.clamp(min=_TINY_LOG_D))))
    return torch.where(log_d < _TINY_LOG_D, log_d - exp(log_d) / 2, exact)
