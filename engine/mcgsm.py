"""Sampler of the MCGSM, a density: a component, then a Gaussian; formulas in `models.heads.mcgsm_log_prob`."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.elementwise import exp, logsumexp, normal_quantile
from engine.table import choose
from engine.torch_operations import pack

# Products in float64 give other bits in the rows after the last whole four (measured, torch 2.13 on AVX-512).
ROW_MULTIPLE = 8


class Mcgsm:
    """The parameters of a head `mcgsm`, in its order, made ready in float64.

    Tables run over the pairs of component c and scale s in the order c S + s.
    """

    def __init__(self, parameters: Sequence[Tensor]) -> None:
        priors, scales, weights, features, linear_features, predictors, cholesky_factors = (
            p.double() for p in parameters[:7]
        )
        self._limits = None if len(parameters) == 7 else parameters[7].float()
        self._num_features, (self._num_components, self._num_scales) = len(features), priors.shape
        self._projection, _ = pack([torch.cat((features, linear_features, predictors))], None)
        self._weights, _ = pack([weights.square()], None)
        self._priors, self._precision, self._factors = priors, scales.exp(), cholesky_factors
        log_precision = scales + 2 * cholesky_factors.abs().log()[:, None]
        self._log_norm = (log_precision - math.log(2 * math.pi)) / 2
        self._deviation = (-log_precision / 2).exp().flatten()

    def draw(
        self, inputs: Sequence[Tensor], u: Tensor, temperature: Tensor, known: Tensor, is_known: Tensor
    ) -> tuple[Tensor, Tensor]:
        """A `Draw` of `engine.heads`; densities know temperature 1 only."""
        h, whitening = (x.double() for x in inputs)
        prediction, log_scale = whitening[:, :1], whitening[:, 1:]
        gates, means = self._gates_and_means(h)
        drawn = prediction + exp(log_scale) * self._draw_whitened(gates, means, u[:, :, 0])
        drawn = drawn.float()
        if self._limits is not None:
            drawn = drawn.clamp(*self._limits)
        value = torch.where(is_known[:, None], known, drawn.to(known.dtype))
        residual = (value.double() - prediction) * exp(-log_scale) - means
        energy = self._precision * (residual * self._factors).square()[:, :, None] / 2
        log_prob = logsumexp(gates + (self._log_norm - energy).flatten(1))
        return value, log_prob[:, None] - log_scale

    def _gates_and_means(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """log p(c, s | h) [slot, C S] and the experts' means [slot, C]."""
        n, c = self._num_features, self._num_components
        products = _product(h, self._projection)
        features, linear, means = products[:, :n], products[:, n : n + c], products[:, n + c : n + 2 * c]
        drive = linear - _product(features.square(), self._weights)[:, :c] / 2
        return torch.log_softmax((self._priors + self._precision * drive[:, :, None]).flatten(1), 1), means

    def _draw_whitened(self, gates: Tensor, means: Tensor, u: Tensor) -> Tensor:
        """y [slot, 1]; u [slot, 2]: the component's number, then the Gaussian's."""
        chosen = choose(exp(gates), u[:, 0])[:, None]
        mean = means.gather(1, chosen // self._num_scales)
        return mean + normal_quantile(u[:, 1:]) * self._deviation[chosen]


def _product(x: Tensor, weight: Tensor) -> Tensor:
    """x [slot, in] @ weight [in, out], each row the same in any company."""
    return torch.mm(F.pad(x, (0, 0, 0, -len(x) % ROW_MULTIPLE)), weight)[: len(x)]
