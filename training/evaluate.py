"""Likelihood of test images under a model, and the facts about it that a bundle carries."""

import math

import torch
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]

from models.base import Model, bits_per_dim
from models.bundle_config import NUM_QUANTILES, Estimate, EvaluationFacts
from training.datasets import Split
from training.fit import one_hot

BATCH = 50
# What another machine's arithmetic may move: float32 sums of 784 terms, and rounding to NUM_DECIMALS.
TOLERANCE_NATS = 2e-3
NUM_DECIMALS = 4
TOLERANCE_PNG = 0.05  # as a share: compressors differ


@torch.inference_mode()
def scores(model: Model, split: Split, progress: bool = False) -> Tensor:
    """log_prob [image] in nats, float64, of every image (given its class, if the model is conditional)."""
    parts = []
    for start in tqdm(range(0, len(split), BATCH), "evaluate", unit_scale=BATCH, unit="img", disable=not progress):
        context = one_hot(split.labels[start : start + BATCH], model.context_size)
        parts.append(model.log_prob(split.images[start : start + BATCH], context).double())
    return torch.cat(parts)


def evaluation_facts(log_prob: Tensor, num_dims: int, data: str) -> EvaluationFacts:
    """Facts of scores log_prob [image] in nats; num_dims sub-pixels an image."""
    quantiles = torch.quantile(log_prob.double(), torch.linspace(0, 1, NUM_QUANTILES, dtype=torch.float64))
    return EvaluationFacts(
        data=data,
        num_images=len(log_prob),
        log_prob_nats=estimate(log_prob),
        bits_per_dim=estimate(bits_per_dim(log_prob.double(), num_dims)),
        score_quantiles=tuple(round(q, NUM_DECIMALS) for q in quantiles.tolist()),
    )


def estimate(values: Tensor) -> Estimate:
    """Mean of values [image] and its standard error, sample deviation / sqrt(images)."""
    error = values.double().std(correction=1).item() / math.sqrt(len(values))
    return Estimate(round(values.double().mean().item(), NUM_DECIMALS), round(error, NUM_DECIMALS))


def disagreements(told: EvaluationFacts, measured: EvaluationFacts) -> list[str]:
    """Where a bundle's facts differ from measured ones by more than rounding; one line each."""
    pairs = {
        "num_images": (told.num_images, measured.num_images, 0.0),
        "log_prob_nats.mean": (told.log_prob_nats.mean, measured.log_prob_nats.mean, TOLERANCE_NATS),
        "log_prob_nats.standard_error": (
            told.log_prob_nats.standard_error,
            measured.log_prob_nats.standard_error,
            TOLERANCE_NATS,
        ),
        "bits_per_dim.mean": (told.bits_per_dim.mean, measured.bits_per_dim.mean, 10**-NUM_DECIMALS),
        "bits_per_dim.standard_error": (
            told.bits_per_dim.standard_error,
            measured.bits_per_dim.standard_error,
            10**-NUM_DECIMALS,
        ),
    }
    lines = _differing(pairs)
    if told.baselines and measured.baselines:
        pairs = {
            f"baselines.{name}": (getattr(told.baselines, name).mean, getattr(measured.baselines, name).mean, tolerance)
            for name, tolerance in (
                ("histogram", 10**-NUM_DECIMALS),
                ("png", TOLERANCE_PNG * measured.baselines.png.mean),
            )
        }
        lines += _differing(pairs)
    worst = max(abs(a - b) for a, b in zip(told.score_quantiles, measured.score_quantiles, strict=True))
    if worst > 10 * TOLERANCE_NATS:  # single images scatter more than their mean
        lines.append(f"score_quantiles: off by up to {worst:.4f}")
    return lines


def _differing(pairs: dict[str, tuple[float, float, float]]) -> list[str]:
    """Of name -> (told, measured, tolerance)."""
    return [f"{name}: told {a}, measured {b}" for name, (a, b, tolerance) in pairs.items() if abs(a - b) > tolerance]
