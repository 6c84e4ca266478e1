"""How far the bfloat16 sampler is from the float32 one."""

import numpy as np

from engine.native.library import BF16_KERNELS, NativeProgram, NativeSlots
from models.program import Program


def divergence(program: Program, num_images: int, size: int) -> tuple[float, float]:
    """KL(fp32 || bf16) in nats an image and its standard error, over images drawn in fp32 and fed to bf16."""
    exact = NativeSlots(NativeProgram(program), size, size, num_images)
    for k in range(num_images):
        exact.admit(k, 1, k, 1.0, None, None, None, None)
    exact.run(size * size)
    rounded = NativeSlots(NativeProgram(program, BF16_KERNELS), size, size, num_images)
    mask = np.ones((size, size), np.bool_)
    for k in range(num_images):
        rounded.admit(k, 1, k, 1.0, None, None, exact.values[k], mask)
    rounded.run(size * size)
    differences = (exact.log_probs - rounded.log_probs).sum(1)
    return float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(num_images))
