"""Counter-based random numbers: the same number for the same pixel, whoever draws it and whenever.

Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3", section 3.3). There is no generator
state to keep or to restore: key = seed, counter = (sample, position, channel, stage). Where a channel takes a second
number (`models.program.Head`), its third word is channels + channel.
"""

import numpy as np
import numpy.typing as npt

_U64 = npt.NDArray[np.uint64]
_Words = tuple[_U64, _U64, _U64, _U64]
_LOW = np.uint64(0xFFFFFFFF)
_SHIFT = np.uint64(32)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = 0x9E3779B9, 0xBB67AE85
FIRST_STAGE = np.uint64(0)


def philox4x32(counter: _Words, key: tuple[_U64, _U64]) -> _Words:
    """Ten rounds of Philox on arrays of 32-bit words (held in uint64) that broadcast against each other."""
    x0, x1, x2, x3 = counter
    k0, k1 = key
    for round_index in range(10):
        r0 = (k0 + np.uint64(round_index * _W0 & 0xFFFFFFFF)) & _LOW
        r1 = (k1 + np.uint64(round_index * _W1 & 0xFFFFFFFF)) & _LOW
        p0, p1 = _M0 * x0, _M1 * x2
        x0, x1 = (p1 >> _SHIFT) ^ x1 ^ r0, p1 & _LOW
        x2, x3 = (p0 >> _SHIFT) ^ x3 ^ r1, p0 & _LOW
    return x0, x1, x2, x3


def uniforms(
    seeds: npt.NDArray[np.uint64],
    samples: npt.NDArray[np.uint64],
    positions: npt.NDArray[np.uint64],
    channels: npt.NDArray[np.uint64],
    stages: npt.NDArray[np.uint64] | np.uint64 = FIRST_STAGE,
) -> npt.NDArray[np.float64]:
    """Numbers in (0, 1), odd multiples of 2^-33, for arguments that broadcast; position = row * W + col."""
    counter = (samples & _LOW, positions & _LOW, channels & _LOW, np.asarray(stages & _LOW))
    word = philox4x32(counter, (seeds & _LOW, seeds >> _SHIFT))[0]
    return (word.astype(np.float64) + 0.5) * 2.0**-32
