"""How far the bfloat16 sampler is from the float32 one."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.native.library import BF16_KERNELS, NativeProgram, NativeSlots
from models.program import Program


@dataclass(frozen=True, slots=True)
class Divergence:
    """KL(fp32 || bf16) in nats an image, its standard error, and the entropy of the float32 net's images."""

    mean: float
    error: float
    entropy: float


def divergence(program: Program, num_images: int, size: int) -> Divergence:
    """The mean of log p - log q over images drawn from p, the float32 net; q is the rounded one.

    A net with classes draws them in turn.
    """
    exact = NativeSlots(NativeProgram(program), size, size, num_images)
    for k in range(num_images):
        exact.admit(k, 1, k, 1.0, _context(program, k), None, None, None)
    exact.run(size * size)
    rounded = NativeSlots(NativeProgram(program, BF16_KERNELS), size, size, num_images)
    mask = np.ones((size, size), np.bool_)
    for k in range(num_images):
        rounded.admit(k, 1, k, 1.0, _context(program, k), None, exact.values[k], mask)
    rounded.run(size * size)
    differences = (exact.log_probs - rounded.log_probs).sum(1)
    error = float(differences.std(ddof=1) / np.sqrt(num_images))
    return Divergence(float(differences.mean()), error, float(-exact.log_probs.sum(1).mean()))


def _context(program: Program, k: int) -> npt.NDArray[np.float32] | None:
    """One-hot class of image k; None for a net without classes."""
    size = sum(f.width for f in program.features if f.scope == "given_vector")
    return np.eye(size, dtype=np.float32)[k % size] if size else None
