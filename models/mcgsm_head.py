"""The trainable output layer MCGSM: its parameters, kept where neither likelihood nor gradient can overflow."""

import math
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import ModelError
from models.heads import McgsmParameters

# e^20 = 5e8 times the square of any input or residual that occurs stays far inside float32, whose exp ends at 88.
MAX_LOG_PRECISION = 20.0
# Rows whose products are held at once where no gradient will ask for them, and how many numbers: 84 MB. A mixture of
# the largest size that a bundle may have would take gigabytes of as many rows.
_ROWS_WITHOUT_GRADIENT = 1 << 16
_NUMBERS_WITHOUT_GRADIENT = 20 << 20
# Rows of [row, components * scales] maps that stay in the cache of a core while the mixture is summed.
_ROWS_AT_ONCE = 1024
# e^-87 is the last power in range of a normal float32: below it torch's exp takes fifteen times as long, for nothing.
_LEAST_EXPONENT = -87.0


class McgsmHead(nn.Module):
    """p(y | h) of `models.heads.mcgsm_log_prob` for inputs h [D], from C components of S scales and N features.

    Parameters: `priors` eta [C, S], `scales` alpha [C, S], `weights` beta [C, N], `features` b [N, D],
    `linear_features` w [C, D], `predictors` A [C, D], `log_factors` log L [C]. Of alpha and log L only the part inside
    [-20, 20] and [-10, 10] counts: `constants` are the clamped ones, and what a step program gets.
    """

    def __init__(self, size: int, num_components: int, num_scales: int, num_features: int) -> None:
        super().__init__()
        if min(num_components, num_scales, num_features) < 1:
            raise ModelError("an MCGSM has at least one component, one scale and one feature")
        shape = (num_components, num_scales)
        self.priors = nn.Parameter(0.1 * torch.randn(shape))
        # Scales from half to sixteen times the precision of a whitened pixel: natural images have heavy tails.
        spread = torch.linspace(-0.7, 2.8, num_scales) if num_scales > 1 else torch.zeros(1)
        self.scales = nn.Parameter(spread + 0.1 * torch.randn(shape))
        self.weights = nn.Parameter(0.1 * torch.rand(num_components, num_features) + 0.1)
        self.features = nn.Parameter(torch.randn(num_features, size) / size**0.5)
        self.linear_features = nn.Parameter(0.1 * torch.randn(num_components, size) / size**0.5)
        self.predictors = nn.Parameter(0.1 * torch.randn(num_components, size) / size**0.5)
        self.log_factors = nn.Parameter(torch.zeros(num_components))

    def constants(self) -> McgsmParameters:
        """The parameters in the order of a step program's head, inside their bounds."""
        return McgsmParameters(
            self.priors,
            self.scales.clamp(-MAX_LOG_PRECISION, MAX_LOG_PRECISION),
            self.weights,
            self.features,
            self.linear_features,
            self.predictors,
            self.log_factors.clamp(-MAX_LOG_PRECISION / 2, MAX_LOG_PRECISION / 2).exp(),
        )

    def forward(self, h: Tensor, whitening: Tensor, x: Tensor) -> Tensor:
        """log p(x | h) in nats, [row], of pixels x [row] given h [row, D] and the whitening (m, q) [row, 2].

        `mcgsm_log_prob` as the difference of two sums over c and s of exp(bias_cs + e^alpha_cs v_c), half its cost:
        with v = -energy / 2 + w . h for the gates, and v less half the squared residual for gates and experts together.
        """
        columns = len(self.features) + 2 * len(self.predictors)
        at_once = max(1, min(_ROWS_WITHOUT_GRADIENT, _NUMBERS_WITHOUT_GRADIENT // columns))
        if torch.is_grad_enabled() or len(h) <= at_once:
            return self._log_prob(h, whitening, x)
        blocks = _blocks(len(h), at_once)
        return torch.cat([self._log_prob(h[rows], whitening[rows], x[rows]) for rows in blocks])

    def _log_prob(self, h: Tensor, whitening: Tensor, x: Tensor) -> Tensor:
        eta, alpha, beta, b, w, a, factors = self.constants()
        m, q = whitening.unbind(-1)
        y = (x - m) * torch.exp(-q)
        projected, linear, means = F.linear(h, torch.cat((b, w, a))).split((len(b), len(w), len(a)), -1)  # type: ignore[no-untyped-call]
        gates = linear - F.linear(projected.square(), beta.square()) / 2
        joint = gates - ((y[:, None] - means) * factors).square() / 2
        log_norm = (alpha - math.log(2 * math.pi)) / 2 + factors.log()[:, None]
        precision = alpha.exp().t()
        return _log_sum(joint, (eta + log_norm).t(), precision) - _log_sum(gates, eta.t(), precision) - q


def _log_sum(v: Tensor, bias: Tensor, precision: Tensor) -> Tensor:
    """log sum_cs exp(bias_sc + precision_sc v_c), [row]; v [row, C], bias and precision [S, C]."""
    return cast(Tensor, _LogSum.apply(v, bias.contiguous(), precision.contiguous()))  # type: ignore[no-untyped-call]


class _LogSum(torch.autograd.Function):
    """Its gradient is the softmax, which the forward pass has at hand; autograd would make a dozen maps of its size."""

    @staticmethod
    def forward(ctx: Any, v: Tensor, bias: Tensor, precision: Tensor) -> Tensor:
        is_kept = any(ctx.needs_input_grad)
        total, num_scales = v.new_empty(len(v)), len(bias)
        shares = v.new_empty(len(v) if is_kept else min(len(v), _ROWS_AT_ONCE), num_scales, v.shape[1])
        for rows in _blocks(len(v), _ROWS_AT_ONCE):
            part = shares[rows] if is_kept else shares[: len(v[rows])]
            for s in range(num_scales):
                torch.addcmul(bias[s], v[rows], precision[s], out=part[:, s])
            flat = part.flatten(1)
            largest = flat.amax(1, keepdim=True)
            summed = flat.sub_(largest).clamp_(min=_LEAST_EXPONENT).exp_().sum(1, keepdim=True)
            flat.div_(summed)
            total[rows] = (largest + summed.log())[:, 0]
        if is_kept:
            ctx.save_for_backward(v, precision, shares)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> tuple[Tensor, Tensor, Tensor]:
        v, precision, shares = ctx.saved_tensors
        dv, dbias, dprecision = torch.empty_like(v), torch.zeros_like(precision), torch.zeros_like(precision)
        for rows in _blocks(len(v), _ROWS_AT_ONCE):
            weighted = shares[rows] * grads[0][rows, None, None]
            dbias += weighted.sum(0)
            torch.mul(weighted[:, 0], precision[0], out=dv[rows])
            for s in range(1, len(precision)):
                dv[rows].addcmul_(weighted[:, s], precision[s])
            dprecision += weighted.mul_(v[rows, None]).sum(0)
        return dv, dbias, dprecision


def _blocks(num_rows: int, at_once: int) -> list[slice]:
    return [slice(start, start + at_once) for start in range(0, num_rows, at_once)]
