"""The Bernoulli head of the torch interpreter: a pixel is drawn; the end of its row tells log p of all that were drawn.

At a pixel a call of torch costs more than what it computes, so the pixel is left with the five calls that it needs.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from engine.elementwise import sigmoid, sigmoid_of, softplus
from engine.scratch import Run, Scratch


def bind_bernoulli(
    logit: Tensor, uniform: Tensor, temperature: Tensor, kept: Tensor, pixel: Tensor, scratch: Scratch
) -> list[Run]:
    """Level 1 where u < sigmoid(logit / T).

    Args:
        logit: what the network says; kept: where `log_prob` will find it, in float64; pixel: where the level goes.
        uniform, temperature: float64. All are [slot, 1].
    """
    tempered = scratch.like("tempered", kept)
    calls, probability = sigmoid_of(tempered, scratch)
    return [
        partial(kept.copy_, logit),
        partial(torch.div, kept, temperature, out=tempered),
        *calls,
        partial(torch.lt, uniform, probability, out=pixel),
    ]


def draw_bernoulli(
    inputs: Sequence[Tensor], u: Tensor, temperature: Tensor, known: Tensor, is_known: Tensor
) -> tuple[Tensor, Tensor]:
    """The same as a `Draw` of `engine.heads`, for the many pixels of a front."""
    logit = inputs[0].double()
    is_one = u[:, 0] < sigmoid(logit / temperature[:, None])
    value = torch.where(is_known[:, None], known, is_one.to(known.dtype))
    return value, log_prob(logit, value)


def log_prob(logits: Tensor, values: Tensor) -> Tensor:
    """log p of levels 0 and 1 in nats, float64; all of one shape."""
    return -softplus(torch.where(values > 0, -logits, logits))
