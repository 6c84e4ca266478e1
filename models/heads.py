"""Output distributions of a pixel: log-probabilities for training and scoring.

A head is named in a model's config and in its step program (`models.program.Head`: layouts of its inputs); the engine
owns the samplers (`engine/heads.py`).
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

MIN_LOG_SCALE = -7.0
# Below this, log(1 - exp(-d)) of log d is log d - d / 2 to the last bit, in float32 and in float64.
_TINY_LOG_D = -18.0


def bernoulli_log_prob(logit: Tensor, x: Tensor) -> Tensor:
    """log p(x) in nats of x in {0, 1} given the logit of 1; shapes broadcast.

    log sigmoid(logit) for x = 1, log sigmoid(-logit) for x = 0, by softplus: exact for any size of the logit.
    """
    return -F.softplus(torch.where(x > 0, -logit, logit))


def categorical_log_prob(logits: Tensor, x: Tensor) -> Tensor:
    """log p(x) in nats of levels x [...] (integers) given logits [..., num_levels]."""
    chosen = torch.gather(logits, -1, x.long().unsqueeze(-1)).squeeze(-1)
    return chosen - torch.logsumexp(logits, -1)


def levels_log_prob(logits: Tensor, x: Tensor) -> Tensor:
    """log p in nats of levels x [batch, channel, row, col], at least in float32.

    `logits`: [batch, channel, row, col] of level 1 (Bernoulli), or [batch, channel, level, row, col] (categorical).
    """
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    if logits.dim() == x.dim():
        return bernoulli_log_prob(logits, x)
    return categorical_log_prob(logits.movedim(2, -1), x)


def logistic_mixture_log_prob(parameters: Tensor, x: Tensor, num_levels: int) -> Tensor:
    """Discretised logistic mixture of PixelCNN++ (Salimans et al. 2017, arXiv 1701.05517, eqs. 1-3).

    A level v stands at 2 v / (num_levels - 1) - 1 and owns the bin around it, of half-width 1 / (num_levels - 1); the
    first and the last bin reach to infinity, so that the masses of all levels sum to one (there is no guard by the
    density where they are small):

        P(x)   = sigmoid((x + half - mean) / scale) - sigmoid((x - half - mean) / scale),   x on [-1, 1]
        mean_G += tanh(a) x_R,   mean_B += tanh(b) x_R + tanh(c) x_G,   a, b, c the coefficients of R, G, B
        p(pixel) = sum_k softmax(logits)_k prod_c P_kc(x_c)

    The mixture indicator is shared by the channels and marginalised: log p(G | R) weighs the components by their
    posterior given R.

    Args:
        parameters: [..., 3K] for one channel, [..., 10K] for three; layout in `models.program.Head`.
        x: levels [..., channels], integers.
        num_levels: 2..256.

    Returns:
        log p of each channel given those before it, in nats, [..., channels].
    """
    channels = x.shape[-1]
    num_components = parameters.shape[-1] // (3 if channels == 1 else 10)
    weights = torch.log_softmax(parameters[..., :num_components], -1)
    blocks = parameters[..., num_components:]
    means, log_scales, *slopes = blocks.reshape(*blocks.shape[:-1], channels, -1, num_components).unbind(-2)
    values = x.to(parameters.dtype) * (2 / (num_levels - 1)) - 1
    log_probs = []
    for c in range(channels):
        mean = means[..., c, :]
        for before in range(c):
            slope = torch.tanh(slopes[0][..., c * (c - 1) // 2 + before, :])
            mean = mean + slope * values[..., before, None]
        joint = weights + _log_bin_mass(mean, log_scales[..., c, :], x[..., c, None], num_levels)
        log_prob = torch.logsumexp(joint, -1, keepdim=True)
        weights = joint - log_prob
        log_probs.append(log_prob)
    return torch.cat(log_probs, -1)


def _log_bin_mass(mean: Tensor, log_scale: Tensor, x: Tensor, num_levels: int) -> Tensor:
    """log of the logistic distribution's mass in the bin of level x; all shapes broadcast.

    With a and b the bin's ends in units of the scale, sigmoid(a) - sigmoid(b) = sigmoid(a) sigmoid(-b)
    (1 - exp(b - a)): three factors whose logarithms are exact however small the mass is.
    """
    log_scale = log_scale.clamp(min=MIN_LOG_SCALE)
    centre = x.to(mean.dtype) * (2 / (num_levels - 1)) - 1
    half = 1 / (num_levels - 1)
    to_upper = F.logsigmoid((centre + half - mean) * torch.exp(-log_scale))
    to_lower = F.logsigmoid((mean - centre + half) * torch.exp(-log_scale))
    log_d = math.log(2 * half) - log_scale
    inner = to_upper + to_lower + _log_one_minus_exp(log_d)
    return torch.where(x == 0, to_upper, torch.where(x == num_levels - 1, to_lower, inner))


def _log_one_minus_exp(log_d: Tensor) -> Tensor:
    """log(1 - exp(-d)) of log d, with finite gradients for any d > 0."""
    exact = torch.log(-torch.expm1(-torch.exp(log_d.clamp(min=_TINY_LOG_D))))
    return torch.where(log_d < _TINY_LOG_D, log_d - torch.exp(log_d) / 2, exact)


class McgsmParameters(NamedTuple):
    """Constant weights of an MCGSM of C components, S scales, N features and D inputs, in the order of a `Head`."""

    priors: Tensor  # eta [C, S]
    scales: Tensor  # alpha [C, S]: logarithms of precisions
    weights: Tensor  # beta [C, N]
    features: Tensor  # b [N, D]
    linear_features: Tensor  # w [C, D]
    predictors: Tensor  # A [C, D]
    cholesky_factors: Tensor  # L [C], of either sign, not 0


def mcgsm_log_prob(h: Tensor, whitening: Tensor, x: Tensor, parameters: McgsmParameters) -> Tensor:
    """log-density of a mixture of conditional Gaussian scale mixtures (Theis et al. 2012), for one output, no offsets.

    Factorised as in RIDE (Theis & Bethge 2015, "Generative Image Modeling Using Spatial LSTMs", arXiv 1506.03478):

        p(c, s | h)    proportional to exp(eta_cs - 1/2 e^alpha_cs sum_n beta_cn^2 (b_n . h)^2 + e^alpha_cs w_c . h)
        p(y | h, c, s) Gaussian of mean A_c . h and precision e^alpha_cs L_c^2
        p(x | h)       = e^-q sum_cs p(c, s | h) p(y | h, c, s),   y = (x - m) e^-q,   (m, q) = whitening

    Args:
        h: [..., D]. whitening: [..., 2], the pixel's linear prediction m and the log of its scale q. x: pixels [...].

    Returns:
        log p(x | h) in nats of the pixel's own unit, [...]: the Jacobian of the whitening is in it.
    """
    m, q = whitening.unbind(-1)
    y = (x - m) * torch.exp(-q)
    precision = torch.exp(parameters.scales)
    energy = F.linear(F.linear(h, parameters.features).square(), parameters.weights.square())
    drive = (F.linear(h, parameters.linear_features) - energy / 2)[..., None]
    gates = (parameters.priors + precision * drive).flatten(-2)
    residual = (y[..., None] - F.linear(h, parameters.predictors)) * parameters.cholesky_factors
    log_norm = parameters.scales / 2 + parameters.cholesky_factors.abs().log()[:, None] - math.log(2 * math.pi) / 2
    experts = log_norm - precision * residual.square()[..., None] / 2
    return torch.logsumexp(gates + experts.flatten(-2), -1) - torch.logsumexp(gates, -1) - q
