"""Log-probabilities of the heads: normalised, equal to the papers' formulas, differentiable everywhere."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from models.heads import (
    McgsmParameters,
    bernoulli_log_prob,
    categorical_log_prob,
    logistic_mixture_log_prob,
    mcgsm_log_prob,
)
from tests.engine.oracle_heads import head_log_prob

EXTREMES = (0.0, 1.0, -1.0, 30.0, -30.0, 1e3, -1e3)


def randn(*shape: int, seed: int = 0, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mcgsm_parameters(
    components: int = 4, scales: int = 3, features: int = 5, size: int = 6, seed: int = 0
) -> McgsmParameters:
    shapes = [(components, scales), (components, scales), (components, features), (features, size)]
    shapes += [(components, size), (components, size)]
    matrices = [randn(*shape, seed=seed + k, scale=0.7) for k, shape in enumerate(shapes)]
    factors = randn(components, seed=seed + 9)
    return McgsmParameters(*matrices, factors + factors.sign())


@pytest.mark.parametrize("num_levels", [2, 3, 17, 256])
@pytest.mark.parametrize("scale", [0.5, 3.0, 20.0])
def test_the_masses_of_all_levels_sum_to_one(num_levels: int, scale: float) -> None:
    parameters = randn(50, 1, 3 * 5, scale=scale)
    levels = torch.arange(num_levels)[None, :, None].expand(50, -1, -1)
    log_prob = logistic_mixture_log_prob(parameters.expand(-1, num_levels, -1), levels, num_levels)
    torch.testing.assert_close(log_prob.exp().sum((1, 2)), torch.ones(50).double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("num_levels", [2, 3, 6])
@pytest.mark.parametrize("scale", [0.5, 3.0, 20.0])
def test_the_masses_of_all_colours_sum_to_one(num_levels: int, scale: float) -> None:
    colours = torch.tensor(list(itertools.product(range(num_levels), repeat=3)))[None].expand(20, -1, -1)
    parameters = randn(20, 1, 10 * 3, seed=1, scale=scale).expand(-1, colours.shape[1], -1)
    log_prob = logistic_mixture_log_prob(parameters, colours, num_levels)
    torch.testing.assert_close(log_prob.sum(2).exp().sum(1), torch.ones(20).double(), rtol=0, atol=1e-12)
    of_red = log_prob[:, :: num_levels**2, 0]
    torch.testing.assert_close(of_red.exp().sum(1), torch.ones(20).double(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("num_levels", [2, 5, 256])
@pytest.mark.parametrize("scale", [1.0, 4.0, 16.0])
def test_the_logistic_mixture_equals_its_formula_however_small_the_mass(
    channels: int, num_levels: int, scale: float
) -> None:
    parameters = randn(30, {1: 3, 3: 10}[channels] * 4, seed=2, scale=scale)
    x = torch.randint(0, num_levels, (30, channels), generator=torch.Generator().manual_seed(3))
    x[0], x[1] = 0, num_levels - 1
    log_prob = logistic_mixture_log_prob(parameters, x, num_levels)
    expected = [
        head_log_prob("logistic_mixture", num_levels, [line], [], pixel)
        for line, pixel in zip(parameters.tolist(), x.tolist(), strict=True)
    ]
    torch.testing.assert_close(log_prob, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-11)


def test_bernoulli_and_categorical_equal_their_formulas() -> None:
    logits = randn(20, 7, scale=5.0)
    for level in range(7):
        expected = [head_log_prob("categorical", 7, [line], [], [level])[0] for line in logits.tolist()]
        log_prob = categorical_log_prob(logits, torch.full((20,), level))
        torch.testing.assert_close(log_prob, torch.tensor(expected, dtype=torch.float64))
        expected = [head_log_prob("bernoulli", 2, [[line[0]]], [], [level % 2])[0] for line in logits.tolist()]
        log_prob = bernoulli_log_prob(logits[:, 0], torch.full((20,), level % 2))
        torch.testing.assert_close(log_prob, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("seed", range(3))
def test_the_mcgsm_equals_its_formula(seed: int) -> None:
    parameters = mcgsm_parameters(seed=10 * seed)
    h, whitening, x = randn(30, 6, seed=seed), randn(30, 2, seed=seed + 1), randn(30, seed=seed + 2, scale=3)
    constants = [p.tolist() for p in parameters]
    expected = [
        head_log_prob("mcgsm", 0, [h[k].tolist(), whitening[k].tolist()], constants, [x[k].item()])[0]
        for k in range(30)
    ]
    log_prob = mcgsm_log_prob(h, whitening, x, parameters)
    torch.testing.assert_close(log_prob, torch.tensor(expected, dtype=torch.float64), rtol=1e-10, atol=1e-10)


def test_the_mcgsm_integrates_to_one_in_the_pixels_own_unit() -> None:
    h, whitening = randn(8, 1, 6), randn(8, 1, 2, seed=5)
    t = torch.linspace(-12, 12, 40_001).double()  # x = m + sinh(t): fine around the peak, and far out
    x = whitening[..., 0] + torch.sinh(t)
    log_prob = mcgsm_log_prob(h.expand(-1, len(t), -1), whitening.expand(-1, len(t), -1), x, mcgsm_parameters())
    integral = torch.trapezoid(log_prob.exp() * torch.cosh(t), t)
    torch.testing.assert_close(integral, torch.ones(8).double(), rtol=0, atol=1e-9)


def test_an_mcgsm_without_input_is_a_mixture_of_gaussian_scale_mixtures() -> None:
    parameters = mcgsm_parameters()
    x = torch.linspace(-5, 5, 41).double()
    log_prob = mcgsm_log_prob(torch.zeros(41, 6).double(), torch.zeros(41, 2).double(), x, parameters)
    deviation = (-parameters.scales / 2).exp() / parameters.cholesky_factors.abs()[:, None]
    gaussians = torch.distributions.Normal(torch.zeros(()).double(), deviation.flatten())
    mixture = torch.softmax(parameters.priors.flatten(), 0) @ gaussians.log_prob(x[:, None]).exp().T
    torch.testing.assert_close(log_prob, mixture.log())


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("num_levels", [2, 256])
def test_gradients_of_the_logistic_mixture_are_finite_at_extreme_parameters(channels: int, num_levels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    size = {1: 3, 3: 10}[channels] * 2
    chosen = torch.randint(len(EXTREMES), (2000, size), generator=generator)
    parameters = torch.tensor(EXTREMES)[chosen].requires_grad_()
    x = torch.randint(0, num_levels, (2000, channels), generator=generator)
    log_prob = logistic_mixture_log_prob(parameters, x, num_levels)
    log_prob.sum().backward()  # type: ignore[no-untyped-call]
    assert log_prob.isfinite().all() and parameters.grad is not None and parameters.grad.isfinite().all()
    assert (log_prob < 1e-3).all()


def test_gradients_of_the_mcgsm_are_finite_at_extreme_parameters() -> None:
    for seed in range(20):
        leaves = [(p * 10).float().requires_grad_() for p in mcgsm_parameters(seed=seed)]
        h = (100 * randn(50, 6, seed=seed)).float().requires_grad_()
        whitening = (10 * randn(50, 2, seed=seed)).float().requires_grad_()
        log_prob = mcgsm_log_prob(h, whitening, (100 * randn(50)).float(), McgsmParameters(*leaves))
        log_prob.sum().backward()  # type: ignore[no-untyped-call]
        assert log_prob.isfinite().all()
        assert all(leaf.grad is not None and leaf.grad.isfinite().all() for leaf in (*leaves, h, whitening))


def test_a_tiny_scale_puts_all_mass_on_one_level() -> None:
    """Means on a level and log-scales far below -7, which count as -7: the bin is 4.3 scales to either side."""
    parameters = torch.tensor([0.0, 2 * 77 / 255 - 1, -50.0], dtype=torch.float64)
    log_prob = logistic_mixture_log_prob(parameters.expand(256, -1), torch.arange(256)[:, None], 256)[:, 0]
    assert log_prob.argmax() == 77
    assert log_prob[77].exp().item() == pytest.approx(math.tanh(math.exp(7) / 255 / 2), abs=1e-12)
