import dataclasses
import math

import pytest
import torch

from models.gated_pixelcnn import GatedPixelCNN
from training.datasets import Split
from training.evaluate import BATCH, disagreements, estimate, evaluation_facts, scores

LOG_PROB = -torch.arange(1.0, 202.0)


def test_mean_and_standard_error_by_hand() -> None:
    values = torch.tensor([1.0, 2.0, 3.0, 6.0])
    deviation = math.sqrt((4 + 1 + 0 + 9) / 3)
    assert estimate(values).mean == 3.0
    assert estimate(values).standard_error == pytest.approx(deviation / 2, abs=5e-5)


def test_bits_per_dim_are_nats_over_log_two_and_dimensions() -> None:
    facts = evaluation_facts(LOG_PROB, num_dims=10, data="ramp")
    assert facts.log_prob_nats.mean == -101.0
    assert facts.bits_per_dim.mean == pytest.approx(101 / (10 * math.log(2)), abs=5e-5)
    assert facts.bits_per_dim.standard_error == pytest.approx(
        facts.log_prob_nats.standard_error / (10 * math.log(2)), abs=2e-4
    )


def test_quantiles_rise_from_the_worst_score_to_the_best() -> None:
    quantiles = evaluation_facts(LOG_PROB, 10, "ramp").score_quantiles
    assert len(quantiles) == 101
    assert (quantiles[0], quantiles[50], quantiles[100]) == (-201.0, -101.0, -1.0)
    assert list(quantiles) == sorted(quantiles)


def test_facts_agree_with_themselves_and_not_with_others() -> None:
    facts = evaluation_facts(LOG_PROB, 10, "ramp")
    assert disagreements(facts, facts) == []
    moved = evaluation_facts(LOG_PROB - 0.5, 10, "ramp")
    assert {line.split(":")[0] for line in disagreements(facts, moved)} == {
        "log_prob_nats.mean",
        "bits_per_dim.mean",
        "score_quantiles",
    }
    fewer = dataclasses.replace(facts, num_images=7)
    assert disagreements(fewer, facts) == ["num_images: told 7, measured 201"]


def test_scores_are_log_prob_given_the_class_whatever_the_batch() -> None:
    torch.manual_seed(0)
    model = GatedPixelCNN(1, 4, width=2, dilations=[1], head_width=4, num_classes=10).eval()
    split = Split(torch.randint(0, 4, (BATCH + 3, 1, 5, 5)).byte(), torch.randint(0, 10, (BATCH + 3,)))
    expected = model.log_prob(split.images, torch.eye(10)[split.labels])
    assert torch.allclose(scores(model, split), expected.double(), atol=1e-5)
