"""Output distributions of a pixel's channel: log-probabilities for training and scoring.

A head is named in a model's config and in its step program; the engine owns the samplers (`engine/heads.py`).
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def bernoulli_log_prob(logit: Tensor, x: Tensor) -> Tensor:
    """log p(x) in nats of x in {0, 1} given the logit of 1; shapes broadcast.

    log sigmoid(logit) for x = 1, log sigmoid(-logit) for x = 0, by softplus: exact for any size of the logit.
    """
    return -F.softplus(torch.where(x > 0, -logit, logit))


def categorical_log_prob(logits: Tensor, x: Tensor) -> Tensor:
    """log p(x) in nats of levels x [...] (integers) given logits [..., num_levels]."""
    chosen = torch.gather(logits, -1, x.long().unsqueeze(-1)).squeeze(-1)
    return chosen - torch.logsumexp(logits, -1)
