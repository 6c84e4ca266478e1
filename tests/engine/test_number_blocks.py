"""Random numbers made for several rows at a time are those of each row by itself."""

import numpy as np

from engine.number_blocks import ROWS, NumberBlocks
from engine.philox import uniforms
from engine.request import DrawRequest

WIDTH, NUMBERS = 5, 3


def alone(request: DrawRequest, row: int) -> np.ndarray:
    positions = row * WIDTH + np.arange(WIDTH, dtype=np.uint64)[:, None]
    seed, sample, stage = (np.array(word, np.uint64) for word in (request.seed, request.sample, request.stage))
    return uniforms(seed, sample, positions, np.arange(NUMBERS, dtype=np.uint64), stage)


def test_every_row_is_its_own_whoever_had_the_slot_before() -> None:
    blocks = NumberBlocks(WIDTH, NUMBERS)
    one = DrawRequest("a", "", 3 * ROWS, WIDTH, seed=2**64 - 1, sample=2**32 - 1)
    other = DrawRequest("b", "", 3 * ROWS, WIDTH, seed=9, sample=1)
    for request in (one, other):
        for row in (0, ROWS - 1, ROWS, 2 * ROWS + 1):
            for slot in (0, 1):
                np.testing.assert_array_equal(blocks.row(slot, request, row), alone(request, row))
    np.testing.assert_array_equal(blocks.row(1, one, 2 * ROWS + 1), alone(one, 2 * ROWS + 1))
