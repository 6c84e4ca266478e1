"""Holes in images, and what an engine makes of them."""

from dataclasses import replace

import numpy as np

from engine.engine import Engine
from engine.request import Drawn, DrawRequest


def hole_in(height: int, width: int, *where: tuple[slice | int, slice | int]) -> np.ndarray:
    """A mask, False in the hole."""
    mask = np.ones((height, width), np.bool_)
    for part in where:
        mask[part] = False
    return mask


def completion(known: np.ndarray, mask: np.ndarray) -> DrawRequest:
    height, width = mask.shape
    return DrawRequest("", "", height, width, seed=1, sample=0, known=known, mask=mask)


def completions(engine: Engine, known: np.ndarray, mask: np.ndarray, num: int) -> list[np.ndarray]:
    """Ancestral ones, which see nothing below or right of the hole."""
    for k in range(num):
        engine.add(replace(completion(known, mask), id=str(k), sample=k))
    outputs: list[np.ndarray] = []
    while engine.busy:
        outputs += [output.values for output in engine.step() if isinstance(output, Drawn)]
    return outputs


def draw_one(engine: Engine, request: DrawRequest) -> Drawn:
    """By an idle engine."""
    engine.add(request)
    while True:
        for output in engine.step():
            if isinstance(output, Drawn):
                return output
