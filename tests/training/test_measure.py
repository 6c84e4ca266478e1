"""Rates in bit/px: what they count, and in which unit."""

import math

import pytest
import torch

from models.base import Model
from models.mcgsm import MCGSM
from training.measure import MARGIN, Rates, compared, density_facts, rates


class OfUniformGrey(MCGSM):
    """p = 1/256 on [0, 256), but e times as much in columns 0 and 1."""

    def log_prob_map(self, x: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        assert x.min() >= 0 and x.max() <= 256 and x.dtype == torch.float32
        return torch.full_like(x, -math.log(256)).index_fill(3, torch.arange(2), 1 - math.log(256))


def test_uniform_grey_has_rate_zero_and_the_edges_are_told_apart() -> None:
    model: Model = OfUniformGrey(3, 1, 1, 1)
    measured = rates(model, [torch.zeros(10, 20).byte(), torch.full((12, 10), 255).byte()])
    torch.testing.assert_close(measured.all_pixels, torch.tensor([0.1, 0.2]).double() / math.log(2))
    torch.testing.assert_close(measured.reachable, torch.zeros(2).double(), atol=1e-6, rtol=0)
    assert MARGIN >= 2
    facts = density_facts(measured, "greys", {})
    assert (facts.density_bits_per_pixel.mean, facts.density_bits_per_pixel.standard_error) == (0.2164, 0.0721)
    assert (facts.bits_per_dim_bound.mean, facts.reachable_bits_per_pixel.mean) == (7.7836, 0)
    assert (facts.num_images, facts.score_quantiles[0], facts.score_quantiles[-1]) == (2, 0.1443, 0.2885)


def test_a_difference_is_taken_image_by_image() -> None:
    one, other = torch.tensor([1.0, 2.0, 3.0]).double(), torch.tensor([0.9, 1.8, 2.9]).double()
    estimate = compared("other", Rates(other, other), Rates(one, one)).above
    assert estimate.mean == pytest.approx(0.1333, abs=1e-4)
    assert estimate.standard_error == pytest.approx(0.0333, abs=1e-4)
