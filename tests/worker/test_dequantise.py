import numpy as np
import pytest

from engine.philox import uniforms
from worker.dequantise import dequantised

LEVELS = np.arange(256, dtype=np.uint8).reshape(16, 16, 1)


def test_the_level_is_the_whole_part_whatever_the_noise() -> None:
    for draw in range(50):
        pixels = dequantised(LEVELS, 2**64 - 1, draw)
        assert pixels.dtype == np.float32
        assert (np.floor(pixels) == LEVELS).all() and (pixels > LEVELS).all()


def test_the_noise_is_uniform_and_a_function_of_seed_and_draw() -> None:
    levels = np.full((200, 200, 1), 7, np.uint8)
    noise = dequantised(levels, 5, 0) - 7
    assert noise.mean() == pytest.approx(0.5, abs=0.01) and noise.var() == pytest.approx(1 / 12, abs=0.002)
    assert np.abs(np.sort(noise.ravel()) - (np.arange(40_000) + 0.5) / 40_000).max() < 0.012
    assert (dequantised(levels, 5, 0) == dequantised(levels, 5, 0)).all()
    for other in (dequantised(levels, 6, 0), dequantised(levels, 5, 1)):
        assert abs(np.corrcoef(noise.ravel(), other.ravel())[0, 1]) < 0.02


def test_the_noise_is_not_that_of_the_drawing() -> None:
    """The numbers that draw a density are of channels 0 and 1."""
    levels = np.zeros((30, 30, 1), np.uint8)
    position = np.arange(900, dtype=np.uint64)
    for channel in (0, 1):
        drawing = uniforms(np.uint64(5), np.uint64(0), position, np.uint64(channel))  # type: ignore[arg-type]
        assert abs(np.corrcoef(drawing, dequantised(levels, 5, 0).ravel())[0, 1]) < 0.1
