import numpy as np
import pytest

from worker.protocol import JobRequest
from worker.scoring import (
    bits_per_dim,
    class_posterior,
    density_rate,
    likelihood,
    log_mean_exp,
    mixture_map,
    percentile,
)


def test_a_score_is_placed_among_the_test_scores() -> None:
    quantiles = [-30.0, -20.0, -10.0]
    found = [percentile(score, quantiles) for score in (-99.0, -30.0, -25.0, -10.0, 0.0)]
    assert found == [0.0, 0.0, 25.0, 100.0, 100.0]


def test_the_posterior_is_bayes_rule_with_equal_priors_even_for_tiny_probabilities() -> None:
    log_probs = np.log([0.2, 0.6, 0.2]) - 1e5
    np.testing.assert_allclose(class_posterior(log_probs), [0.2, 0.6, 0.2], rtol=1e-9)


def test_the_mixture_is_the_mean_over_classes() -> None:
    assert log_mean_exp(np.log([0.2, 0.6, 0.1])) == pytest.approx(np.log(0.3))


def test_the_mixtures_map_follows_the_chain_rule() -> None:
    """Against the definition: p(x_i | x_<i) of a two-class mixture over two sub-pixels, worked by hand."""
    probabilities = np.array([[0.5, 0.9], [0.1, 0.2]])
    first = (0.5 + 0.1) / 2
    both = (0.5 * 0.9 + 0.1 * 0.2) / 2
    np.testing.assert_allclose(mixture_map(np.log(probabilities)), np.log([first, both / first]))


def test_a_fair_coin_a_pixel_is_one_bit_a_pixel() -> None:
    assert bits_per_dim(784 * np.log(0.5), 784) == pytest.approx(1.0)


def test_a_uniform_density_of_bytes_has_rate_zero_and_one_of_a_single_grey_eight_bits() -> None:
    assert density_rate(-100 * np.log(256), 100) == pytest.approx(0)
    assert density_rate(0, 100) == 8


def test_a_density_shares_no_name_with_the_likelihood_of_levels() -> None:
    levels = likelihood(JobRequest("sample", "a", "", 2, 3, 1, 256), -6 * np.log(2), 6)
    density = likelihood(JobRequest("sample", "a", "", 2, 3, 1, 0), -6 * np.log(2), 6)
    assert levels == {"log_prob": -6 * np.log(2), "bits_per_dim": pytest.approx(1), "unit": "nats", "kind": "exact"}
    assert density == {"density_bits_per_pixel": pytest.approx(7), "unit": "bit/px of a density", "kind": "density"}
