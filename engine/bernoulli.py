"""The Bernoulli head of the torch interpreter: a pixel is drawn; the end of its row tells log p of all that were drawn.

At a pixel a call of torch costs more than what it computes, so the pixel is left with the two calls that it needs; what
its logit is compared with is computed for a whole row at once.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from engine.elementwise import log, log1p, softplus
from engine.scratch import Run


def threshold(uniform: Tensor, temperature: Tensor) -> Tensor:
    """What a logit must exceed for level 1: u < sigmoid(logit / T) where T log(u / (1 - u)) < logit. All float64."""
    return temperature * (log(uniform) - log1p(-uniform))


def bind_bernoulli(logit: Tensor, threshold: Tensor, kept: Tensor, pixel: Tensor) -> list[Run]:
    """Level 1 where the logit exceeds its threshold.

    Args:
        logit: what the network says; kept: where `log_prob` will find it, in float64; pixel: where the level goes.
        threshold: float64. All are [slot, 1].
    """
    return [partial(kept.copy_, logit), partial(torch.lt, threshold, kept, out=pixel)]


def draw_bernoulli(
    inputs: Sequence[Tensor], u: Tensor, temperature: Tensor, known: Tensor, is_known: Tensor
) -> tuple[Tensor, Tensor]:
    """The same as a `Draw` of `engine.heads`, for the many pixels of a front."""
    logit = inputs[0].double()
    is_one = threshold(u[:, 0], temperature[:, None]) < logit
    value = torch.where(is_known[:, None], known, is_one.to(known.dtype))
    return value, log_prob(logit, value)


def log_prob(logits: Tensor, values: Tensor) -> Tensor:
    """log p of levels 0 and 1 in nats, float64; all of one shape."""
    return -softplus(torch.where(values > 0, -logits, logits))
