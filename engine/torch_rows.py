"""The feature rows that a torch interpreter keeps: for every feature the present row and as many above as are read.

A buffer is [rows, columns, slots, width]: one column of all slots is a contiguous matrix, and so is one whole row, so
both the pixel phases and the row phases are plain matrix products. The last row is the present one; a new row shifts
the others up, so that views of a buffer stay valid for ever and can be bound once.
"""

import torch
from torch import Tensor

from models.program import Affine, Feature, Operation, Program, Ref


class Rows:
    """Buffers of every map feature of `program`, for `num_slots` images of one width that share their column."""

    def __init__(self, program: Program, width: int, num_slots: int, device: str, dtype: torch.dtype) -> None:
        self.program = program
        self.width = width
        self.features = {f.name: f for f in program.features}
        self._device, self._dtype = device, dtype
        self._reach = _Reach(program)
        self._buffers: dict[str, Tensor] = {}
        self._top: dict[str, Tensor] = {}
        for feature in program.features:
            if not feature.is_vector:
                self._allocate(feature, num_slots)

    def buffers(self) -> list[Tensor]:
        """All there is: features, rows and columns of every slot."""
        return list(self._buffers.values())

    def num_columns(self, level: int) -> int:
        """Columns of a level: ceil(width / 2^level)."""
        return -(-self.width >> level)

    def view(self, ref: Ref, column: int, level: int, row_shift: int = 0) -> Tensor:
        """[slots, width] of a reference, seen from `column` of `level`; `row_shift` = -1 looks from one row above."""
        feature = self.features[ref.feature]
        shift = feature.level - level
        source = (column >> shift if shift >= 0 else column << -shift) + ref.dx
        column = self._reach.left[ref.feature] + source
        buffer = self._buffers[ref.feature]
        if not 0 <= column < buffer.shape[1]:
            raise IndexError(f"column {source} of {ref.feature!r} is beyond what its taps reach")
        return buffer[buffer.shape[0] - 1 + ref.dy + row_shift, column, :, ref.start : ref.stop]

    def row(self, ref: Ref, level: int) -> Tensor:
        """[columns of `level`, slots, width]: the reference seen from every column of the present row."""
        feature = self.features[ref.feature]
        shift = feature.level - level
        first = self._reach.left[ref.feature] + ref.dx
        buffer = self._buffers[ref.feature]
        line = buffer[buffer.shape[0] - 1 + ref.dy]
        if shift > 0:
            index = (torch.arange(self.num_columns(level), device=line.device) >> shift) + first
            return line[index][:, :, ref.start : ref.stop]
        line = line[first :: 1 << -shift]
        return line[: self.num_columns(level), :, ref.start : ref.stop]

    def advance(self, row: int) -> None:
        """Make room for `row`: coarse features move on only where they have a row of their own."""
        for name, buffer in self._buffers.items():
            if row % (1 << self.features[name].level) == 0:
                for index in range(buffer.shape[0] - 1):
                    buffer[index].copy_(buffer[index + 1])
                self._set_sides(buffer[-1], name)

    def clear(self, slot: int, name: str | None = None) -> None:
        """Forget a slot: everything above the present row is outside the image again."""
        for feature, buffer in self._buffers.items():
            if name is None or feature == name:
                buffer[:-1, :, slot] = self._top[feature]

    def _allocate(self, feature: Feature, num_slots: int) -> None:
        reach, name = self._reach, feature.name
        columns = reach.left[name] + self.num_columns(feature.level) + reach.right[name]
        shape = (reach.rows[name] + 1, columns, num_slots, feature.width)
        buffer = torch.zeros(shape, device=self._device, dtype=self._dtype)
        self._top[name] = self._boundary(feature.top, feature.width)
        buffer[:-1] = self._top[name]
        self._buffers[name] = buffer
        self._set_sides(buffer[-1], name)

    def _set_sides(self, line: Tensor, name: str) -> None:
        feature = self.features[name]
        line[: self._reach.left[name]] = self._boundary(feature.left, feature.width)
        line[self._reach.left[name] + self.num_columns(feature.level) :] = self._boundary(feature.right, feature.width)

    def _boundary(self, parameter: str | None, width: int) -> Tensor:
        if parameter is None:
            return torch.zeros(width, device=self._device, dtype=self._dtype)
        return self.program.parameters[parameter].to(self._device, self._dtype)


class _Reach:
    """How far each map feature is read: rows above, columns left of the first and right of the last."""

    def __init__(self, program: Program) -> None:
        names = [f.name for f in program.features]
        self.rows = dict.fromkeys(names, 0)
        self.left = dict.fromkeys(names, 0)
        self.right = dict.fromkeys(names, 0)
        for phase in program.phases:
            for op in phase.ops:
                is_reverse = phase.kind == "row_reverse"
                for ref in _refs(op):
                    self._add(ref, is_reverse)

    def _add(self, ref: Ref, is_reverse: bool) -> None:
        self.rows[ref.feature] = max(self.rows[ref.feature], -ref.dy + is_reverse)
        self.left[ref.feature] = max(self.left[ref.feature], -ref.dx)
        self.right[ref.feature] = max(self.right[ref.feature], ref.dx)


def _refs(op: Operation) -> tuple[Ref, ...]:
    if isinstance(op, Affine):
        return (op.out, *(tap.source for tap in op.taps))
    return (*op.outs, *op.ins)
