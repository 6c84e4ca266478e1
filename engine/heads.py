"""Exact samplers of the output distributions: inverse of the cumulative distribution at one uniform number a channel.

Every sampler takes known values too: they are kept, not drawn, and their log-probability counts the same.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from engine.elementwise import sigmoid, softplus

Draw = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
"""(parameters [slot, width], uniform [slot], temperature [slot], known value [slot], is known [slot])
-> (value [slot], log p of it in nats at temperature 1 [slot])"""


def draw_bernoulli(
    logit: Tensor, u: Tensor, temperature: Tensor, known: Tensor, is_known: Tensor
) -> tuple[Tensor, Tensor]:
    """Level 1 where u < sigmoid(logit / T)."""
    logit = logit[:, 0].double()
    value = torch.where(is_known, known, (u < sigmoid(logit / temperature)).to(known.dtype))
    return value, -softplus(torch.where(value > 0, -logit, logit))


def draw_categorical(
    logits: Tensor, u: Tensor, temperature: Tensor, known: Tensor, is_known: Tensor
) -> tuple[Tensor, Tensor]:
    """The first level whose cumulative probability exceeds u. Sums run in float64, so levels of 2^-32 count."""
    logits = logits.double()
    cumulative = torch.softmax(logits / temperature[:, None], 1).cumsum(1)
    level = (cumulative <= u[:, None] * cumulative[:, -1:]).sum(1)
    value = torch.where(is_known, known, level.to(known.dtype))
    chosen = torch.log_softmax(logits, 1).gather(1, value.long()[:, None])[:, 0]
    return value, chosen


SAMPLERS: dict[str, Draw] = {"bernoulli": draw_bernoulli, "categorical": draw_categorical}
