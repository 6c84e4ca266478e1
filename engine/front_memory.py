"""What a torch interpreter keeps from front to front: features that are read at an offset, and what requests give."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.fronts import Block, Indexes, Lines, Maps, Offset
from engine.scratch import Run
from models.fronts import reads_of_pixels
from models.program import Feature, Program, Ref

Offsets = tuple[Offset, ...]


class FrontMemory:
    """Tensors [cell, width], and of the front that is drawn now the cells that its places read and write.

    Attributes:
        vectors: [slot, width] of every vector feature, given or computed.
    """

    def __init__(
        self, program: Program, height: int, width: int, num_slots: int, device: str, dtype: torch.dtype
    ) -> None:
        self._program, self._device, self._dtype, self._num_slots = program, device, dtype, num_slots
        self._lines, self._maps = Lines(program, width, num_slots), Maps(height, width, num_slots)
        far = {ref.feature for ref in reads_of_pixels(program) if ref.dy or ref.dx}
        self._kept = {f.name: self._line_values(f) for f in program.features if f.name in far}
        self._given = {
            f.name: self.zeros(self._maps.num_cells, f.width) for f in program.features if f.scope == "given_map"
        }
        self.vectors = {f.name: self.zeros(num_slots, f.width) for f in program.features if f.is_vector}
        self._block: Block
        self._tables: dict[tuple[str, Offsets], Tensor] = {}
        self._front = self._num_places = 0

    def zeros(self, *shape: int) -> Tensor:
        return torch.zeros(shape, device=self._device, dtype=self._dtype)

    def give(
        self, slot: int, vector: npt.NDArray[np.float32] | None, given_map: npt.NDArray[np.float32] | None
    ) -> None:
        """The context of a new image: vector [context_size] and map, as in `DrawRequest`."""
        start, size = 0, self._maps.outside // self._num_slots
        for feature in self._program.features:
            if feature.scope == "given_vector" and vector is not None:
                self.vectors[feature.name][slot] = torch.as_tensor(vector)
            if feature.scope == "given_map" and given_map is not None:
                cells = torch.as_tensor(given_map[:, :, start : start + feature.width]).reshape(size, feature.width)
                self._given[feature.name][slot * size : (slot + 1) * size] = cells
                start += feature.width

    def begin(self, block: Block) -> None:
        self._block, self._tables = block, {}

    def turn_to(self, front: int) -> None:
        """Make `front` of the block the present one."""
        self._front, self._num_places = front, self._block.num_places[front]

    def gather(self, refs: tuple[Ref, ...], out: Tensor) -> Run:
        """A function that fills out [place * ref, width] with the same channels at the offsets of all `refs`."""
        ref, offsets = refs[0], tuple((ref.dy, ref.dx) for ref in refs)
        kind = "slots" if ref.feature in self.vectors else "maps" if ref.feature in self._given else "lines"
        where = {"slots": self.vectors, "maps": self._given, "lines": self._kept}[kind]
        values = where[ref.feature][:, ref.start : ref.stop]
        return lambda: torch.index_select(values, 0, self._index(kind, offsets), out=out)

    def scatter(self, ref: Ref, source: Tensor) -> list[Run]:
        """Functions, one or none, that keep source [place, width] where other places will read it."""
        if ref.feature not in self._kept:
            return []
        values = self._kept[ref.feature][:, ref.start : ref.stop]
        return [lambda: values.index_copy_(0, self._index("own", ()), source)]

    def _index(self, kind: str, offsets: Offsets) -> Tensor:
        """Cells of the present front's places: [place * offset]."""
        table = self._tables.get((kind, offsets))
        if table is None:
            table = torch.from_numpy(self._cells(kind, offsets)).to(self._device)
            self._tables[kind, offsets] = table
        return table[self._front, : self._num_places].view(-1)

    def _cells(self, kind: str, offsets: Offsets) -> Indexes:
        """[front, place, offset] or, of slots and own cells, [front, place]."""
        if kind == "slots":
            return self._block.slots
        if kind == "own":
            return self._lines.own_cells(self._block)
        return (self._maps if kind == "maps" else self._lines).cells(self._block, offsets)

    def _line_values(self, feature: Feature) -> Tensor:
        """The lines of a feature, its boundaries in place."""
        lines = self._lines
        values = self.zeros(lines.num_cells, feature.width)
        inside = values[: lines.above].view(-1, lines.stride, feature.width)
        for parameter, cells in (
            (feature.left, inside[:, : lines.left]),
            (feature.right, inside[:, lines.left + lines.width :]),
            (feature.top, values[lines.above]),
        ):
            if parameter is not None:
                cells.copy_(self._program.parameters[parameter])
        return values
