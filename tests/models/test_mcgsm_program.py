"""A clipped density: which pixels are clipped, by both interpreters."""

from typing import Literal

import numpy as np
import pytest
import torch

from engine.draw import draw
from models.mcgsm_program import clipped
from tests.models.tiny import DENSITIES


@pytest.mark.parametrize("interpreter", ["native", "torch"])
@pytest.mark.parametrize("name", ["ride", "mcgsm 5x5"])
def test_drawn_pixels_are_clipped_before_others_read_them(name: str, interpreter: Literal["native", "torch"]) -> None:
    model = DENSITIES[name].model().float()
    free, _ = draw(model.program(), 8, 6, 7, seed=2, interpreter=interpreter)
    low, high = (float(q) for q in np.quantile(free, [0.2, 0.8]))
    drawn, log_probs = draw(clipped(model.program(), low, high), 8, 6, 7, seed=2, interpreter=interpreter)
    limits = np.float32(low), np.float32(high)
    assert drawn.min() == limits[0] and drawn.max() == limits[1]
    first = free.reshape(8, -1)[:, 0]
    np.testing.assert_array_equal(drawn.reshape(8, -1)[:, 0], np.clip(first, *limits))
    with torch.no_grad():
        expected = model.log_prob(torch.from_numpy(drawn).permute(0, 3, 1, 2))
    np.testing.assert_allclose(log_probs, expected, atol=1e-3)


def test_limits_that_nothing_reaches_change_no_bit() -> None:
    model = DENSITIES["ride"].model().float()
    free, _ = draw(model.program(), 4, 6, 7, seed=2)
    same, _ = draw(clipped(model.program(), -1e9, 1e9), 4, 6, 7, seed=2)
    assert (free == same).all()
