"""The random numbers of the rows that a slot will draw next, made for several rows at a time.

Philox in NumPy is a hundred small operations, whether for one row or for sixteen.
"""

import numpy as np
import numpy.typing as npt

from engine.philox import uniforms
from engine.request import DrawRequest

ROWS = 16

_Block = tuple[DrawRequest, int, npt.NDArray[np.float64]]


class NumberBlocks:
    """Of images of one size, by slot.

    Args:
        num_numbers: of a pixel.
    """

    def __init__(self, width: int, num_numbers: int) -> None:
        self._width = width
        self._numbers = np.arange(num_numbers, dtype=np.uint64)
        self._blocks: dict[int, _Block] = {}

    def row(self, slot: int, request: DrawRequest, row: int) -> npt.NDArray[np.float64]:
        """Uniform numbers of a row, float64 [column, number]."""
        first = row - row % ROWS
        block = self._blocks.get(slot)
        if block is None or block[0] is not request or block[1] != first:
            block = self._blocks[slot] = request, first, self._make(request, first)
        numbers: npt.NDArray[np.float64] = block[2][row - first]
        return numbers

    def _make(self, request: DrawRequest, first: int) -> npt.NDArray[np.float64]:
        positions = np.arange(first * self._width, (first + ROWS) * self._width, dtype=np.uint64)
        seed, sample, stage = (np.array(word, np.uint64) for word in (request.seed, request.sample, request.stage))
        cells = positions.reshape(ROWS, self._width, 1)
        found: npt.NDArray[np.float64] = uniforms(seed, sample, cells, self._numbers, stage)
        return found
