"""What is particular to the bundle of a density: what it measures, what it shows, and what its pixels are."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from engine.draw import draw
from models.base import Model
from models.bundle import Bundle, load_bundle
from models.bundle_config import CONFIG_FILE, DensityPixels
from models.facts import DensityFacts
from training.config import ConfigError
from training.datasets import Dataset
from training.greys import load_greys
from training.measure import density_facts, rates
from training.samples import SEED, grid

CLIPPED_PERCENTILES = (0.1, 99.8)
PICTURE_SIDE, PICTURE_MARGIN, PICTURES_A_MODEL = 256, 8, 2


def measure_density(
    model: Model, others: Mapping[str, Model], data: Dataset, data_root: Path, progress: bool = True
) -> DensityFacts:
    """Rates of the test images under a density and under the models that it is compared with."""
    images = load_greys(data.name, data_root)["test"]
    other_rates = {name: rates(other, images, progress) for name, other in others.items()}
    return density_facts(rates(model, images, progress), f"{data.title}, test set", other_rates)


def compared_bundles(bundle: Bundle) -> dict[str, Model]:
    """The models that a bundle says it was compared with, from the bundles beside it; those that are not there are
    left out."""
    facts = bundle.config.evaluation
    names = [c.model for c in facts.comparisons] if isinstance(facts, DensityFacts) else []
    folders = {name: bundle.directory.parent / name for name in names}
    return {name: load_bundle(folder).model for name, folder in folders.items() if (folder / CONFIG_FILE).exists()}


def pixels_of(images: Sequence[Tensor]) -> DensityPixels:
    """Percentiles of the dequantised pixels of uint8 images: a byte's share is spread evenly over [byte, byte + 1)."""
    counts = sum(torch.bincount(image.flatten().long(), minlength=256) for image in images)
    if not isinstance(counts, Tensor):
        raise ConfigError("there are no training images")
    cumulative = np.concatenate(([0.0], counts.double().cumsum(0).numpy()))
    low, high = np.interp(np.array(CLIPPED_PERCENTILES) / 100 * cumulative[-1], cumulative, np.arange(257))
    return DensityPixels("uniform", round(float(low), 4), round(float(high), 4))


def density_picture(models: Sequence[Model]) -> bytes:
    """PNG of samples, a line for each model, cut out of slightly larger ones so that no edge of the image shows."""
    height, width = PICTURE_SIDE + PICTURE_MARGIN, PICTURE_SIDE + 2 * PICTURE_MARGIN
    samples = []
    for model in models:
        with torch.inference_mode():
            drawn, _ = draw(model.program(), PICTURES_A_MODEL, height, width, SEED, num_slots=4)
        samples.append(torch.from_numpy(drawn[:, PICTURE_MARGIN:, PICTURE_MARGIN:-PICTURE_MARGIN]).movedim(-1, 1))
    levels = torch.cat(samples).floor().clamp(0, 255).byte()
    content = io.BytesIO()
    grid(levels, 256, columns=PICTURES_A_MODEL, zoom=1).save(content, "PNG", optimize=True)
    return content.getvalue()
