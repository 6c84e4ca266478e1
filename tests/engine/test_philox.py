"""Philox4x32-10 against the vectors published with the algorithm, and the numbers the engine makes of it."""

import numpy as np
import pytest

from engine.philox import philox4x32, uniforms

# (counter, key, result) from the known-answer file of Random123.
VECTORS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "expected"), VECTORS)
def test_the_published_vectors(counter: tuple[int, ...], key: tuple[int, ...], expected: tuple[int, ...]) -> None:
    words = [np.array([word], np.uint64) for word in (*counter, *key)]
    result = philox4x32((words[0], words[1], words[2], words[3]), (words[4], words[5]))
    assert tuple(int(word[0]) for word in result) == expected


def test_a_number_depends_on_seed_sample_position_channel_and_stage_and_on_nothing_else() -> None:
    def number(seed: int, sample: int, position: int, channel: int, width: int = 1, stage: int = 0) -> float:
        positions = np.full(width, position, np.uint64)
        words = (np.array([value], np.uint64) for value in (seed, sample, channel, stage))
        seeds, samples, channels, stages = words
        return float(uniforms(seeds, samples, positions, channels, stages)[-1])

    base = number(2**63 + 1, 2, 3, 1)
    assert base == number(2**63 + 1, 2, 3, 1, width=17)
    others = [number(1, 2, 3, 1), number(2**63, 2, 3, 1), number(2**63 + 1, 1, 3, 1), number(2**63 + 1, 2, 4, 1)]
    others += [number(2**63 + 1, 2, 3, 0), number(2**63 + 1, 2, 3, 1, stage=1)]
    assert len({base, *others}) == 7


def test_numbers_are_uniform_and_never_zero_or_one() -> None:
    zero = np.zeros(1, np.uint64)
    numbers = uniforms(zero + np.uint64(7), zero, np.arange(100_000, dtype=np.uint64), zero)
    assert numbers.min() > 0 and numbers.max() < 1
    counts = np.histogram(numbers, 64, (0, 1))[0]
    expected = numbers.size / 64
    assert ((counts - expected) ** 2 / expected).sum() < 63 + 5 * np.sqrt(2 * 63)
