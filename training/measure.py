"""Likelihood of whole test images under a density, in bit/px, and whether one model is above another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]

from models.base import Model
from models.bundle_config import Estimate
from training.crops import dequantise
from training.evaluate import estimate

# Pixels at least this far from the upper, left and right edge have all the neighbours of the widest neighbourhood (9).
MARGIN = 4
SEED = 2015


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
        bits = model.log_prob_map(pixels[None, None])[0, 0].double() / math.log(2) + 8
        every.append(bits.mean())
        reachable.append(bits[MARGIN:, MARGIN:-MARGIN].mean())
    return Rates(torch.stack(every), torch.stack(reachable))


def difference(of: Rates, over: Rates) -> Estimate:
    """How much the one model is above the other, in bit/px of all pixels, image by image."""
    return estimate(of.all_pixels - over.all_pixels)


def summary(name: str, measured: Rates) -> str:
    """A line with both rates, the bound on the code length, and standard errors over images."""
    every, reachable = estimate(measured.all_pixels), estimate(measured.reachable)
    return (
        f"{name}: {every.mean:.4f} ± {every.standard_error:.4f} bit/px over all pixels "
        f"({8 - every.mean:.4f} bits/dim at most), {reachable.mean:.4f} ± {reachable.standard_error:.4f} over "
        f"reachable ones; {len(measured.all_pixels)} images"
    )
