"""Fronts (`models.fronts`) of several images: their pixels, and where what these read of each other is kept."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.fronts import front_slope, reads_of_pixels
from models.program import Program

Indexes = npt.NDArray[np.int64]
Offset = tuple[int, int]

# A matrix product of fewer rows, or of a number that is no multiple of it, gives other bits.
PLACE_MULTIPLE = 4
_NOWHERE = -(2**31)  # the row of a place that no pixel takes: far above the image


@dataclass(frozen=True, slots=True)
class Block:
    """Fronts to draw one after the other. [front, place]: the slot, row and column of each pixel, places filled up.

    `num_places`: of each front its pixels, rounded up to `PLACE_MULTIPLE`; those beyond are no part of it.
    """

    slots: Indexes
    rows: Indexes
    columns: Indexes
    num_places: Sequence[int]

    def of_slot(self, slot: int) -> npt.NDArray[np.bool_]:
        """Which places are pixels of its image."""
        is_own: npt.NDArray[np.bool_] = (self.slots == slot) & (self.rows >= 0)
        return is_own


class Fronts:
    """The fronts of images of one size: front t crosses row r at column t - slope * r."""

    def __init__(self, program: Program, height: int, width: int) -> None:
        slope = front_slope(program)
        if slope is None:
            raise ValueError("rows of this program depend on whole rows: it is drawn pixel by pixel")
        self.height, self.width, self.slope = height, width, min(slope, width)
        self.num_fronts = width + self.slope * (height - 1)

    def num_rows_done(self, front: int) -> int:
        """Rows that are finished before `front`."""
        return min(self.height, max(0, (front - self.width) // self.slope + 1))

    def block(self, starts: Sequence[tuple[int, int]], num_fronts: int) -> Block:
        """The next `num_fronts` of some images; `starts` holds (slot, its first of them)."""
        fronts = [
            np.concatenate([self._pixels(slot, front + k) for slot, front in starts], 1) for k in range(num_fronts)
        ]
        num_places = [-(-pixels.shape[1] // PLACE_MULTIPLE) * PLACE_MULTIPLE for pixels in fronts]
        table = np.zeros((3, num_fronts, max(num_places)), np.int64)
        table[1] = _NOWHERE
        for k, pixels in enumerate(fronts):
            table[:, k, : pixels.shape[1]] = pixels
        return Block(table[0], table[1], table[2], num_places)

    def _pixels(self, slot: int, front: int) -> Indexes:
        """Slot, row and column of an image's pixels: [3, pixel]."""
        first = max(0, (front - self.width) // self.slope + 1)
        rows = np.arange(first, min(self.height, front // self.slope + 1))
        return np.stack((np.full_like(rows, slot), rows, front - self.slope * rows))


class Lines:
    """Cells for what is read at an offset: a few lines an image, with the cells beyond the ends of a row.

    Row r is kept in line r modulo `num_lines`, where from left to right it takes the place of a row that is read no
    more. After all lines come one cell that stands for everything above the image, and one that nobody reads.
    """

    def __init__(self, program: Program, width: int, num_slots: int) -> None:
        slope, reads = front_slope(program) or 1, list(reads_of_pixels(program))
        self.width = width
        self.left, right = max((0, *(-ref.dx for ref in reads))), max((0, *(ref.dx for ref in reads)))
        # Row r - dy reads column c of row r from column c - dx, while row r + n stands at c - dx - (n + dy) slope.
        self.num_lines = max((1, *(-ref.dy + max(0, -ref.dx) // slope + 1 for ref in reads)))
        self.stride = self.left + width + right
        self.above = num_slots * self.num_lines * self.stride
        self.unread = self.above + 1
        self.num_cells = self.above + 2

    def cells(self, block: Block, offsets: Sequence[Offset]) -> Indexes:
        """Where each place finds what lies at the offsets from it: [front, place, offset]."""
        dy, dx = np.array(offsets, np.int64).T
        rows = block.rows[..., None] + dy
        lines = block.slots[..., None] * self.num_lines + rows % self.num_lines
        return np.where(rows < 0, self.above, lines * self.stride + self.left + block.columns[..., None] + dx)

    def own_cells(self, block: Block) -> Indexes:
        """Where each place keeps what it has computed: [front, place]."""
        return np.where(block.rows < 0, self.unread, self.cells(block, [(0, 0)])[..., 0])


class Maps:
    """Cells for given maps: one a pixel of every slot, then one that stands for everything outside."""

    def __init__(self, height: int, width: int, num_slots: int) -> None:
        self.height, self.width = height, width
        self.outside = num_slots * height * width
        self.num_cells = self.outside + 1

    def cells(self, block: Block, offsets: Sequence[Offset]) -> Indexes:
        """As `Lines.cells`."""
        dy, dx = np.array(offsets, np.int64).T
        rows, columns = block.rows[..., None] + dy, block.columns[..., None] + dx
        is_inside = (rows >= 0) & (rows < self.height) & (columns >= 0) & (columns < self.width)
        return np.where(is_inside, (block.slots[..., None] * self.height + rows) * self.width + columns, self.outside)
