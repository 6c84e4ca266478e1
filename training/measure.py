"""Likelihood of whole test images under a density, in bit/px, and whether one model is above another."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]

from models.base import Model
from models.facts import NUM_QUANTILES, Comparison, DensityFacts
from training.crops import dequantise
from training.evaluate import NUM_DECIMALS, estimate

# Pixels at least this far from the upper, left and right edge have all the neighbours of the widest neighbourhood (9).
MARGIN = 4
SEED = 2015
BITS_OF_A_BYTE = 8


@dataclass(frozen=True, slots=True)
class Rates:
    """log2 p a pixel of every image [image], float64, for pixels scaled to [0, 1): higher is better.

    8 minus a rate bounds, in expectation, the code length of the 8-bit image in bits per pixel. `reachable` counts only
    pixels MARGIN or further from the edges that are read across, the same ones for every model.
    """

    all_pixels: Tensor
    reachable: Tensor


@torch.inference_mode()
def rates(model: Model, images: Sequence[Tensor], progress: bool = False) -> Rates:
    """Rates of uint8 images [row, col], each seen whole and dequantised once; its noise is that of its place."""
    every, reachable = [], []
    for index, image in enumerate(tqdm(images, "measure", disable=not progress)):
        pixels = dequantise(image, torch.Generator().manual_seed(SEED + index))
        bits = model.log_prob_map(pixels[None, None])[0, 0].double() / math.log(2) + BITS_OF_A_BYTE
        every.append(bits.mean())
        reachable.append(bits[MARGIN:, MARGIN:-MARGIN].mean())
    return Rates(torch.stack(every), torch.stack(reachable))


def density_facts(measured: Rates, data: str, others: Mapping[str, Rates]) -> DensityFacts:
    """The facts that a bundle carries. `others`: rates of the models that it is compared with, by name."""
    quantiles = torch.quantile(measured.all_pixels, torch.linspace(0, 1, NUM_QUANTILES, dtype=torch.float64))
    return DensityFacts(
        data=data,
        num_images=len(measured.all_pixels),
        density_bits_per_pixel=estimate(measured.all_pixels),
        reachable_bits_per_pixel=estimate(measured.reachable),
        bits_per_dim_bound=estimate(BITS_OF_A_BYTE - measured.all_pixels),
        score_quantiles=tuple(round(q, NUM_DECIMALS) for q in quantiles.tolist()),
        comparisons=tuple(compared(name, other, measured) for name, other in others.items()),
    )


def compared(name: str, other: Rates, own: Rates) -> Comparison:
    """Another model's rate, and how much `own` is above it, image by image."""
    return Comparison(name, estimate(other.all_pixels), estimate(own.all_pixels - other.all_pixels))
