"""The feature rows that a torch interpreter keeps: for every feature the present row and as many above as are read.

A buffer is [rows, columns, slots, width]: one column of all slots is a contiguous matrix, and so is one whole row, so
both the pixel phases and the row phases are plain matrix products. The last row is the present one (of a given map,
those below it follow); a new row shifts the others up, so that views of a buffer stay valid for ever and can be bound
once.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.cells import cell_buffers, refs_of, windows
from engine.columns import Columns
from engine.scratch import Run
from models.program import Feature, Program, Ref


class Rows:
    """Buffers of every map feature of `program`, for `num_slots` images of one width that share their column."""

    def __init__(self, program: Program, width: int, num_slots: int, device: str, dtype: torch.dtype) -> None:
        self.program = program
        self.width = width
        self.features = {f.name: f for f in program.features}
        self._device, self._dtype = device, dtype
        self._reach = _Reach(program)
        self._buffers = cell_buffers(program, num_slots, device, dtype)
        self._cells = frozenset(self._buffers)
        self._columns = Columns(program, width, num_slots, device, dtype, self._boundary)
        self._buffers |= {name: row[None] for name, row in self._columns.rows.items()}
        self._windows = windows(program)
        self._top: dict[str, Tensor] = {}
        for feature in program.features:
            if not (feature.is_vector or feature.name in self._buffers or self._columns.has(feature.name)):
                self._allocate(feature, num_slots)
        # What a new row moves up, by level.
        self._shifts = {
            level: [
                (buffer[index], buffer[index + 1])
                for name, buffer in self._buffers.items()
                for index in range(len(buffer) - 1)
                if self.features[name].level == level
            ]
            for level in range(program.max_level + 1)
        }

    def is_cell(self, ref: Ref) -> bool:
        """Whether it is the same view in every column."""
        name = ref.feature
        return name in self._cells or self._columns.has(name) or self.features[name].is_vector

    def buffers(self) -> list[Tensor]:
        """All there is: features, rows and columns of every slot."""
        return [*self._buffers.values(), *self._columns.buffers()]

    def begin_column(self, column: int) -> list[Run]:
        """The calls with which the pixel phases of a column begin."""
        return self._columns.begin(column)

    def num_columns(self, level: int) -> int:
        """Columns of a level: ceil(width / 2^level)."""
        return -(-self.width >> level)

    def view(self, ref: Ref, column: int, level: int, row_shift: int = 0) -> Tensor:
        """[slots, width] of a reference, seen from `column` of `level`; `row_shift` = -1 looks from one row above."""
        if self._columns.has(ref.feature):
            return self._columns.view(ref)
        if ref.feature in self._cells:
            return self._buffers[ref.feature][0, 0, :, ref.start : ref.stop]
        feature = self.features[ref.feature]
        shift = feature.level - level
        source = (column >> shift if shift >= 0 else column << -shift) + ref.dx
        column = self._reach.left[ref.feature] + source
        buffer = self._buffers[ref.feature]
        if not 0 <= column < buffer.shape[1]:
            raise IndexError(f"column {source} of {ref.feature!r} is beyond what its taps reach")
        return buffer[self._reach.rows[ref.feature] + ref.dy + row_shift, column, :, ref.start : ref.stop]

    def row(self, ref: Ref, level: int) -> Tensor:
        """[columns of `level`, slots, width]: the reference seen from every column of the present row."""
        feature = self.features[ref.feature]
        shift = feature.level - level
        first = self._reach.left[ref.feature] + ref.dx
        buffer = self._buffers[ref.feature]
        line = buffer[self._reach.rows[ref.feature] + ref.dy]
        if shift > 0:
            index = (torch.arange(self.num_columns(level), device=line.device) >> shift) + first
            return line[index][:, :, ref.start : ref.stop]
        line = line[first :: 1 << -shift]
        return line[: self.num_columns(level), :, ref.start : ref.stop]

    def padded(self, name: str, num_rows: int) -> Tensor:
        """Room for a given map of `num_rows` rows, [row, column, slot, width], with the zeros that are read outside."""
        lines, *others = self._buffers[name].shape
        return self._buffers[name].new_zeros((num_rows + lines - 1, *others))

    def interior(self, name: str, padded: Tensor) -> Tensor:
        """The part of it that is the map."""
        above, left = self._reach.rows[name], self._reach.left[name]
        num_rows = len(padded) - above - self._reach.below[name]
        return padded[above : above + num_rows, left : left + self.num_columns(self.features[name].level)]

    def give(self, name: str, padded: Tensor, rows: Sequence[int]) -> None:
        """Make `rows` the present ones of a given map, one for each slot."""
        buffer = self._buffers[name]
        for slot, row in enumerate(rows):
            buffer[:, :, slot] = padded[row : row + len(buffer), :, slot]

    def advance(self, row: int) -> None:
        """Make room for `row`: coarse features move on only where they have a row of their own."""
        for level, shifts in self._shifts.items():
            if row % (1 << level) == 0:
                for above, line in shifts:
                    above.copy_(line)

    def clear(self, slot: int, name: str | None = None) -> None:
        """Forget a slot: everything above the present row is outside the image again."""
        for feature, top in self._top.items():
            if name is None or feature == name:
                self._buffers[feature][:-1, :, slot] = top

    def _allocate(self, feature: Feature, num_slots: int) -> None:
        reach, name = self._reach, feature.name
        columns = reach.left[name] + self.num_columns(feature.level) + reach.right[name]
        lines, is_window = reach.rows[name] + 1 + reach.below[name], name in self._windows
        places = (num_slots, columns) if is_window else (columns, num_slots)
        buffer = torch.zeros(lines, *places, feature.width, device=self._device, dtype=self._dtype)
        buffer = buffer.transpose(1, 2) if is_window else buffer
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
    """How far each map feature is read: rows above, of a given map below, columns left and right of the image."""

    def __init__(self, program: Program) -> None:
        names = [f.name for f in program.features]
        self.rows = dict.fromkeys(names, 0)
        self.below = dict.fromkeys(names, 0)
        self.left = dict.fromkeys(names, 0)
        self.right = dict.fromkeys(names, 0)
        for phase in program.phases:
            for op in phase.ops:
                is_reverse = phase.kind == "row_reverse"
                for ref in refs_of(op):
                    self._add(ref, is_reverse)

    def _add(self, ref: Ref, is_reverse: bool) -> None:
        self.rows[ref.feature] = max(self.rows[ref.feature], -ref.dy + is_reverse)
        self.below[ref.feature] = max(self.below[ref.feature], ref.dy - is_reverse)
        self.left[ref.feature] = max(self.left[ref.feature], -ref.dx)
        self.right[ref.feature] = max(self.right[ref.feature], ref.dx)
