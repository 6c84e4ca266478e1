"""log p(image): sums of the parallel pass, over classes where they are asked for, and their place among test images."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from worker.protocol import UNITS, JobRequest

Nats = npt.NDArray[np.float64]
BITS_OF_A_BYTE = 8


def kind_and_unit(request: JobRequest) -> dict[str, Any]:
    """What a likelihood of the job's model is."""
    kind = "density" if request.is_density else "bound" if request.is_chain else "exact"
    return {"unit": UNITS[kind], "kind": kind}


def likelihood(request: JobRequest, log_prob: float, num_dims: int) -> dict[str, Any]:
    """log p of `num_dims` sub-pixels as a result tells it. That of a density has other names, too: nobody is to take it
    for the nats or the bits/dim of a model of levels."""
    if request.is_density:
        return {"density_bits_per_pixel": density_rate(log_prob, num_dims), **kind_and_unit(request)}
    return {"log_prob": log_prob, **kind_and_unit(request), "bits_per_dim": bits_per_dim(log_prob, num_dims)}


def density_rate(log_prob: float, num_pixels: int) -> float:
    """log p of grey pixels in the unit of a byte -> log2 p a pixel, for pixels scaled to [0, 1)."""
    return log_prob / (num_pixels * math.log(2)) + BITS_OF_A_BYTE


def percentile(score: float, quantiles: Sequence[float]) -> float:
    """Share of the test images, in per cent, that score below `score`: nats an image, or bit/px of a density.

    `quantiles` are evenly spaced from the lowest to the highest test score; between two of them it is interpolated.
    """
    return float(np.interp(score, quantiles, np.linspace(0.0, 100.0, len(quantiles))))


def class_posterior(log_probs: Nats) -> Nats:
    """p(class | image) from log p(image | class) [class] in nats, all classes equally likely beforehand."""
    weights = np.exp(log_probs - log_probs.max())
    posterior: Nats = weights / weights.sum()
    return posterior


def log_mean_exp(log_probs: Nats) -> Nats:
    """log of the mean over the first axis of exp(log_probs): log p(image) under equally likely classes."""
    highest = log_probs.max(0)
    mean: Nats = highest + np.log(np.exp(log_probs - highest).mean(0))
    return mean


def mixture_map(maps: Nats) -> Nats:
    """The map of the mixture over classes: log p(x_i | x_<i) in nats, [sub-pixel] in raster order.

    Args:
        maps: log p(x_i | x_<i, class), [class, sub-pixel].

    By the chain rule log p(x_<=i) - log p(x_<i), where p is the mean over the classes; it sums to `log_mean_exp` of
    the maps' sums.
    """
    prefix = log_mean_exp(np.cumsum(maps, axis=1))
    return np.diff(prefix, prepend=0.0)


def bits_per_dim(log_prob: float, num_dims: int) -> float:
    """Nats an image -> bits a sub-pixel; num_dims = height * width * channels."""
    return -log_prob / (num_dims * math.log(2))
