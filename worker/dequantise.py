"""Bytes of an uploaded image as pixels of a density: noise that is a function of the request's seed."""

import numpy as np
import numpy.typing as npt

from engine.philox import uniforms

# Counters of the noise lie above all those that drawing an image takes (`models.program.Head`).
_FIRST_CHANNEL = 1 << 16


def dequantised(levels: npt.NDArray[np.uint8], seed: int, draw: int) -> npt.NDArray[np.float32]:
    """level + u for levels [height, width, channels], u uniform on (0, 1).

    u is an odd multiple of 2^-16, so that the sum is exact in float32 and the level is the whole part of it.

    Args:
        draw: which of the noises of this seed.
    """
    height, width, channels = levels.shape
    position = np.arange(height * width, dtype=np.uint64).reshape(height, width, 1)
    channel = np.arange(_FIRST_CHANNEL, _FIRST_CHANNEL + channels, dtype=np.uint64)
    u = uniforms(np.array(seed, np.uint64), np.array(draw, np.uint64), position, channel)
    return (levels + (np.floor(u * 2**15) + 0.5) * 2.0**-15).astype(np.float32)
