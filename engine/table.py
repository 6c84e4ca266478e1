"""Drawing from a table of probabilities, one row a slot."""

import torch
from torch import Tensor


def choose(probabilities: Tensor, u: Tensor) -> Tensor:
    """The first index whose cumulative probability exceeds u: [slot, n] and [slot] -> [slot].

    Sums run in float64, so probabilities of 2^-32 count.
    """
    cumulative = probabilities.double().cumsum(1)
    return (cumulative <= u[:, None] * cumulative[:, -1:]).sum(1)


def draw_from_table(
    logits: Tensor, u: Tensor, temperature: Tensor, known: Tensor, is_known: Tensor
) -> tuple[Tensor, Tensor]:
    """A level of p^(1/T) renormalised, p = softmax(logits [slot, level]); values and log p at temperature 1, [slot]."""
    level = choose(torch.softmax(logits / temperature[:, None], 1), u)
    value = torch.where(is_known, known, level.to(known.dtype))
    return value, torch.log_softmax(logits, 1).gather(1, value.long()[:, None])[:, 0]
