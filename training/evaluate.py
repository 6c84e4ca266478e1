"""Likelihood of test images under a model, and the facts about it that a bundle carries."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]

from models.base import Model, bits_per_dim
from models.facts import NUM_QUANTILES, Baselines, ConditionFacts, DensityFacts, Estimate, EvaluationFacts, ScaleFacts
from models.program import Stage
from training.contexts import context_of
from training.datasets import Split

BATCH = 50
# What another machine's arithmetic may move: float32 sums of 784 terms, and rounding to NUM_DECIMALS.
TOLERANCE_NATS = 2e-3
NUM_DECIMALS = 4
TOLERANCE_BITS = 2 * 10**-NUM_DECIMALS
TOLERANCES = {
    "log_prob_nats": TOLERANCE_NATS,
    "bits_per_dim": 10**-NUM_DECIMALS,
    "density_bits_per_pixel": TOLERANCE_BITS,
    "reachable_bits_per_pixel": TOLERANCE_BITS,
    "bits_per_dim_bound": TOLERANCE_BITS,
}
TOLERANCE_PNG = 0.05  # as a share: compressors differ


@torch.inference_mode()
def scores(model: Model, split: Split, progress: bool = False) -> Tensor:
    """log_prob [image] in nats, float64, of every image (given its class, if the model is conditional)."""
    return _scores(model.log_prob, model, split, progress)


@torch.inference_mode()
def scale_scores(model: Model, split: Split, progress: bool = False) -> list[Tensor]:
    """The same for every image of a chain, given those before it; they sum to `scores`."""
    found = []
    for index, stage in enumerate(model.stages()):
        images = split.images[:, :, :: 1 << stage.level, :: 1 << stage.level]
        of_stage = functools.partial(_stage_log_prob, model, index)
        found.append(_scores(of_stage, model, Split(images, split.labels), progress))
    return found


def _stage_log_prob(model: Model, stage: int, images: Tensor, context: Tensor | None) -> Tensor:
    return model.stage_map(stage, images, context).sum((1, 2, 3))


def _scores(log_prob: Callable[..., Tensor], model: Model, split: Split, progress: bool) -> Tensor:
    parts = []
    for start in tqdm(range(0, len(split), BATCH), "evaluate", unit_scale=BATCH, unit="img", disable=not progress):
        context = context_of(model, split.labels[start : start + BATCH])
        parts.append(log_prob(split.images[start : start + BATCH], context).double())
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


def chain_facts(by_scale: Sequence[Tensor], stages: Sequence[Stage], shape: torch.Size, data: str) -> EvaluationFacts:
    """Facts of `scale_scores` of images [image, channel, row, col] of a `shape`."""
    _, channels, rows, cols = shape
    scales = []
    for log_prob, stage in zip(by_scale, stages, strict=True):
        height, width = -(-rows >> stage.level), -(-cols >> stage.level)
        scales.append(ScaleFacts(height, width, estimate(bits_per_dim(log_prob, height * width * channels))))
    together = torch.stack(list(by_scale)).sum(0)
    facts = evaluation_facts(together, channels * rows * cols, data)
    return dataclasses.replace(facts, scales=tuple(scales))


def estimate(values: Tensor) -> Estimate:
    """Mean of values [image] and its standard error, sample deviation / sqrt(images)."""
    error = values.double().std(correction=1).item() / math.sqrt(len(values))
    return Estimate(round(values.double().mean().item(), NUM_DECIMALS), round(error, NUM_DECIMALS))


def disagreements(told: EvaluationFacts | DensityFacts, measured: EvaluationFacts | DensityFacts) -> list[str]:
    """Where a bundle's facts differ from measured ones by more than rounding; one line each."""
    pairs: dict[str, tuple[float, float, float]] = {"num_images": (told.num_images, measured.num_images, 0.0)}
    for name, tolerance in TOLERANCES.items():
        if hasattr(told, name):
            a, b = getattr(told, name), getattr(measured, name)
            pairs[f"{name}.mean"] = (a.mean, b.mean, tolerance)
            pairs[f"{name}.standard_error"] = (a.standard_error, b.standard_error, tolerance)
    lines = _differing(pairs)
    if isinstance(told, EvaluationFacts) and isinstance(measured, EvaluationFacts):
        lines += _differing(_baseline_pairs(told.baselines, measured.baselines))
        lines += _differing(_scale_pairs(told.scales or (), measured.scales or ()))
        lines += _differing(_condition_pairs(told.condition, measured.condition))
    if isinstance(told, DensityFacts) and isinstance(measured, DensityFacts):
        lines += _differing(_comparison_pairs(told, measured))
    worst = max(abs(a - b) for a, b in zip(told.score_quantiles, measured.score_quantiles, strict=True))
    # Single images scatter more than their mean.
    if worst > 10 * (TOLERANCE_BITS if isinstance(told, DensityFacts) else TOLERANCE_NATS):
        lines.append(f"score_quantiles: off by up to {worst:.4f}")
    return lines


def _scale_pairs(told: Sequence[ScaleFacts], measured: Sequence[ScaleFacts]) -> dict[str, tuple[float, float, float]]:
    tolerance = 10**-NUM_DECIMALS
    return {
        f"scales.{index}.bits_per_dim": (a.bits_per_dim.mean, b.bits_per_dim.mean, tolerance)
        for index, (a, b) in enumerate(zip(told, measured, strict=True))
    }


def _condition_pairs(
    told: ConditionFacts | None, measured: ConditionFacts | None
) -> dict[str, tuple[float, float, float]]:
    """What is measured again of a condition; the shares are of samples, which `bundle` alone draws."""
    if told is None or measured is None:
        return {}
    return {
        f"condition.{name}": (getattr(told, name).mean, getattr(measured, name).mean, tolerance)
        for name, tolerance in (("bits_per_dim_without", 10**-NUM_DECIMALS), ("gain_nats", 2 * TOLERANCE_NATS))
    }


def _baseline_pairs(told: Baselines | None, measured: Baselines | None) -> dict[str, tuple[float, float, float]]:
    if told is None or measured is None:
        return {}
    return {
        f"baselines.{name}": (getattr(told, name).mean, getattr(measured, name).mean, tolerance)
        for name, tolerance in (("histogram", 10**-NUM_DECIMALS), ("png", TOLERANCE_PNG * measured.png.mean))
    }


def _comparison_pairs(told: DensityFacts, measured: DensityFacts) -> dict[str, tuple[float, float, float]]:
    """Of the compared models that could be measured again."""
    known = {comparison.model: comparison for comparison in told.comparisons}
    return {
        f"above {now.model}": (known[now.model].above.mean, now.above.mean, TOLERANCE_BITS)
        for now in measured.comparisons
        if now.model in known
    }


def _differing(pairs: dict[str, tuple[float, float, float]]) -> list[str]:
    """Of name -> (told, measured, tolerance)."""
    return [f"{name}: told {a}, measured {b}" for name, (a, b, tolerance) in pairs.items() if abs(a - b) > tolerance]
