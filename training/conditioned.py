"""What a condition is worth: likelihood with it against without, and whether samples are what they were asked to be."""

import dataclasses

import torch
from torch import Tensor

from models.base import Model, bits_per_dim
from models.bundle import Bundle
from models.conditioning import ByMap
from models.encoder import Encoder
from models.facts import AgreementFacts, ConditionFacts, EvaluationFacts, RecognitionFacts
from training.baselines import baselines
from training.contexts import BATCH, embedded
from training.datasets import Split
from training.evaluate import estimate, evaluation_facts, scores
from training.maps import map_levels
from training.samples import draw_samples

NUM_ASKED, NUM_SAMPLES = 100, 1_000


def measure_conditioned(
    model: Model, encoder: Encoder | None, splits: dict[str, Split], num_levels: int, data: str, progress: bool = True
) -> EvaluationFacts:
    """Likelihood of the test images, each given its own vector or map, and what that gains over zeros.

    Args:
        splits: labelled with tags or maps, or with whatever else if there is an encoder.
        data: what the test images are called.
    """
    test = splits["test"] if encoder is None else embedded(splits["test"], encoder)
    own = scores(model, test, progress)
    without = scores(model, Split(test.images, torch.zeros(test.labels.shape)), progress)
    num_dims = test.images[0].numel()
    condition = ConditionFacts(estimate(bits_per_dim(without, num_dims)), estimate(own - without))
    facts = dataclasses.replace(evaluation_facts(own, num_dims, data), condition=condition)
    if model.channels == 1:
        return facts
    return dataclasses.replace(facts, baselines=baselines(splits, num_levels))


def measured_again(
    bundle: Bundle, told: EvaluationFacts, splits: dict[str, Split], num_levels: int, progress: bool = True
) -> EvaluationFacts:
    """The likelihoods of a bundle from its weights; what needs samples stays as it is told."""
    now = measure_conditioned(bundle.model, bundle.encoder, splits, num_levels, told.data, progress)
    assert told.condition is not None and now.condition is not None
    kept = {name: getattr(told.condition, name) for name in ("recognition", "reconstruction", "agreement")}
    return dataclasses.replace(now, condition=dataclasses.replace(now.condition, **kept))


def recognition(
    model: Model, encoder: Encoder, images: Tensor, progress: bool = False, num_samples: int = NUM_SAMPLES
) -> RecognitionFacts:
    """Whether samples are nearest to the image whose embedding they were given, among `images`."""
    asked = embedded(Split(images, images), encoder).labels
    wanted = torch.arange(num_samples) % len(images)
    height, width = images.shape[2:]
    samples = draw_samples(model, asked[wanted], height, width, progress=progress)
    found = nearest(embedded(Split(samples, samples), encoder).labels, asked)
    share = (found == wanted).double().mean().item()
    return RecognitionFacts(round(share, 4), num_samples, len(images))


def agreement(
    model: Model, conditioning: ByMap, test: Split, progress: bool = False, num_samples: int = NUM_SAMPLES
) -> AgreementFacts:
    """Whether samples go with the map that they were told; `test` labelled with maps."""
    wanted = torch.arange(num_samples) % len(test)
    height, width = test.images.shape[2:]
    samples = draw_samples(model, test.labels[wanted], height, width, progress=progress)
    drawn, told = (
        map_levels(images, conditioning, model.num_levels).double() for images in (samples, test.images[wanted])
    )
    gaps = [(drawn - other).abs() for other in (told, told.roll(1, 0))]
    if conditioning.what == "labels":
        gaps = [(gap > 0).double() for gap in gaps]
    told_gap, another_gap = (round(gap.mean().item(), 4) for gap in gaps)
    return AgreementFacts(told_gap, another_gap, num_samples)


def nearest(vectors: Tensor, candidates: Tensor) -> Tensor:
    """The place [vector] of the candidate at the least Euclidean distance, of vectors [vector, size]."""
    return torch.cat([torch.cdist(part, candidates).argmin(1) for part in torch.split(vectors, BATCH)])
