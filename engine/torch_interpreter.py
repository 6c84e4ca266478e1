"""Step programs in plain torch: the reference interpreter, and the one that runs without a compiler.

All slots share their column and differ in their row, so a pixel of every slot is one column of the feature buffers and
no index is ever gathered. A slot joins at the beginning of a row (of a row that is a multiple of 2^k where the program
has features of level k): at most one row later than joining at any pixel would be, and no operation needs a gather.
A product runs over all slots, at least four, since narrower products give other bits; in a row phase, where the columns
alone make it wide enough, over the slots in use.
"""

import functools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.carried_biases import with_carried_biases
from engine.cells import refs_of
from engine.cuda_graphs import CudaGraphs
from engine.gate_scales import bind_scaled_gate, gate_scales
from engine.last_reads import last_reads
from engine.packed_weights import PackedWeights
from engine.scratch import Run, Scratch
from engine.sums import Sum, with_sums
from engine.torch_heads import Heads
from engine.torch_operations import bind_affine, bind_pointwise
from engine.torch_row_buffers import RowBuffers
from engine.torch_rows import Rows
from engine.wide_products import pays
from models.program import PIXEL, Affine, Feature, Operation, Phase, Program, Ref

# Fewer rows than four, and in float64 the rows after the last whole four, get other bits from a matrix product.
SLOT_MULTIPLE = 4
# Views of a column are bound once and kept: about 1 kB an operation. Wider images bind them again in every row.
MAX_BOUND_COLUMNS = 128


class TorchInterpreter:
    """Runs `program` for `num_slots` images of one size, a column at a time.

    The caller says `begin_row`, fills `row_buffers`, then says `draw` for every column from left to right, and so on;
    `admit` may be called before `begin_row` and makes a slot's next row its first.
    """

    def __init__(
        self,
        program: Program,
        height: int,
        width: int,
        num_slots: int,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        if num_slots < 1 or num_slots % SLOT_MULTIPLE:
            raise ValueError(f"the torch interpreter runs {SLOT_MULTIPLE} slots or a multiple, not {num_slots}")
        self.program = program = with_carried_biases(with_sums(program))
        self.height, self.width, self.num_slots = height, width, num_slots
        self.device, self.dtype = device, dtype
        self._row_period = 1 << program.max_level  # a row differs from others by its number modulo this
        self._scales = gate_scales(program)
        self._last_reads = last_reads(program)
        self._inference = torch.inference_mode()  # as a decorator it is made anew at every pixel
        with torch.inference_mode():
            self._parameters = {name: p.to(device, dtype) for name, p in program.parameters.items()}
            self._rows = Rows(program, width, num_slots, device, dtype)
            pixels = self._rows.row(Ref(PIXEL, 0, program.channels), 0)
            self.row_buffers = RowBuffers(program, pixels, device, dtype)
            self._vectors = {
                f.name: torch.zeros(num_slots, f.width, device=device, dtype=dtype)
                for f in program.features
                if f.is_vector
            }
            self._given_maps = {
                f.name: self._rows.padded(f.name, -(-height >> f.level))
                for f in program.features
                if f.scope == "given_map"
            }
            self._weights = PackedWeights(self._parameters, self._scales, device, dtype)
            self._scratch = Scratch()
            self._heads = Heads(program, self._parameters, self._rows, self.row_buffers)
            self._admit = [run for op in self._ops("admit") for run in self._bind_vector(op)]
            self._columns: dict[tuple[int, int], list[Run]] = {}
            self._bound: dict[tuple[int, int, int], list[Run]] = {}
            self._row_programs: dict[tuple[int, int], list[list[Run]]] = {}
        self._fresh: list[int] = []
        is_captured = torch.device(device).type == "cuda" and width <= MAX_BOUND_COLUMNS
        self._graphs = CudaGraphs(self._rows.buffers()) if is_captured else None

    def admit(
        self, slot: int, vector: npt.NDArray[np.float32] | None, given_map: npt.NDArray[np.float32] | None = None
    ) -> None:
        """Empty `slot` for a new image with its context: vector [context_size] and map, as in `DrawRequest`."""
        start = 0
        with torch.inference_mode():
            for feature in self.program.features:
                if feature.scope == "given_vector" and vector is not None:
                    self._vectors[feature.name][slot] = torch.as_tensor(vector)
                if feature.scope == "given_map" and given_map is not None:
                    inside = self._rows.interior(feature.name, self._given_maps[feature.name])
                    inside[:, :, slot] = torch.as_tensor(given_map[:, :, start : start + feature.width])
                    start += feature.width
            self._fresh.append(slot)

    @torch.inference_mode()
    def begin_row(self, rows: Sequence[int], num_used: int) -> None:
        """Run the row phases.

        Args:
            rows: the row that each slot begins, alike modulo 2^max_level.
            num_used: slots from this one on are empty, and their rows need not be computed.
        """
        phase_of_rows = rows[0] % self._row_period
        self._rows.advance(phase_of_rows)
        for slot in self._fresh:
            self._rows.clear(slot)
        if self._fresh:
            for run in self._admit:
                run()
        self._copy_given_maps(rows)
        num_slots = num_used if self._rows_may_be_left_out else self.num_slots
        for runs, phase in zip(self._row_program(phase_of_rows, num_slots), self._row_phases(), strict=True):
            for run in runs:
                run()
            if phase.kind == "row_reverse":  # it has written row -1 of the fresh slots, which is outside the image
                for slot in self._fresh:
                    for out in _outs(phase):
                        self._rows.clear(slot, out)
        self._fresh = []

    def draw(self, row: int, column: int) -> None:
        """One pixel of every slot, from `row_buffers` and into them; `row`: of any slot, alike modulo 2^max_level."""
        phase_of_rows = row % self._row_period
        with self._inference:
            if self._graphs is None:
                self._draw(phase_of_rows, column)
            else:
                self._graphs.run((phase_of_rows, column), lambda: self._draw(phase_of_rows, column))

    def _draw(self, phase_of_rows: int, column: int) -> None:
        for run in self._column(phase_of_rows, column):
            run()

    def _ops(self, kind: str) -> list[Operation]:
        return [op for phase in self.program.phases if phase.kind == kind for op in phase.ops]

    def _row_phases(self) -> list[Phase]:
        return [phase for phase in self.program.phases if phase.kind in ("row", "row_reverse")]

    def _copy_given_maps(self, rows: Sequence[int]) -> None:
        for name, given in self._given_maps.items():
            level = self._rows.features[name].level
            self._rows.give(name, given, [(row % self.height) >> level for row in rows])

    @property
    def _rows_may_be_left_out(self) -> bool:
        """Whether a product over some of the slots gives the same bits: on a processor, if its rows are a multiple of
        `SLOT_MULTIPLE` whichever slots they are of."""
        return self.device == "cpu" and self.width % SLOT_MULTIPLE == 0 and self._row_period == 1

    def _row_program(self, phase_of_rows: int, num_slots: int) -> list[list[Run]]:
        """The bound operations of each row phase, over the first `num_slots` slots."""
        key = phase_of_rows, num_slots
        if key not in self._row_programs:
            self._row_programs[key] = [
                self._bind_row(phase, phase_of_rows, num_slots) if phase.kind == "row" else self._bind_reverse(phase)
                for phase in self._row_phases()
            ]
        return self._row_programs[key]

    def _column(self, phase_of_rows: int, column: int) -> list[Run]:
        """The bound operations and heads of a column, in order."""
        key = phase_of_rows, column
        bound = self._columns.get(key)
        if bound is None:
            phases = {phase.group: phase for phase in self.program.phases if phase.kind == "pixel"}
            bound = self._rows.begin_column(column)
            for group in range(len(self.program.heads) + 1):
                if group in phases:
                    bound += self._bind_pixel(phases[group].ops, column, phase_of_rows)
                if group < len(self.program.heads):
                    bound += self._heads.bind(group, column)
            if self.width <= MAX_BOUND_COLUMNS:
                self._columns[key] = bound
        return bound

    def _feature(self, ref: Ref) -> Feature:
        return self._rows.features[ref.feature]

    def _level(self, op: Operation) -> int:
        return self._feature(op.out if isinstance(op, Affine) else op.outs[0]).level

    def _bind_vector(self, op: Operation) -> list[Run]:
        return self._bind(op, lambda ref: self._vectors[ref.feature][:, ref.start : ref.stop])

    def _bind_row(self, phase: Phase, phase_of_rows: int, num_slots: int) -> list[Run]:
        runs: list[Run] = []
        for op in phase.ops:
            level = self._level(op)
            if phase_of_rows % (1 << level):
                continue
            stride = max((tap.up for tap in op.taps), default=1) if isinstance(op, Affine) else 1
            for start in range(stride):
                runs += self._bind_row_operation(op, level, start, stride, phase_of_rows, num_slots)
        return runs

    def _bind_row_operation(
        self, op: Operation, level: int, start: int, stride: int, phase_of_rows: int, num_slots: int
    ) -> list[Run]:
        """All columns start, start + stride, ... of the present row at once; stride > 1 under an up-tap."""
        residue = (phase_of_rows >> level) % stride, start

        def view(ref: Ref) -> Tensor:
            if self._feature(ref).is_vector:
                vector = self._vectors[ref.feature][:num_slots, ref.start : ref.stop]
                return vector.expand(len(range(start, self._rows.num_columns(level), stride)), -1, -1)
            return self._rows.row(ref, level)[start::stride, :num_slots]

        if self._reads_coarser(op, level):  # such a view is a copy: take it anew each time
            return [lambda: [run() for run in self._bind(op, view, residue)]]
        return self._bind(op, view, residue)

    def _reads_coarser(self, op: Operation, level: int) -> bool:
        features = [self._feature(ref) for ref in refs_of(op)]
        return any(feature.level > level for feature in features if not feature.is_vector)

    def _bind_reverse(self, phase: Phase) -> list[Run]:
        columns = range(self.width - 1, -1, -1)
        return [run for c in columns for op in phase.ops for run in self._bind(op, self._viewer(c, 0, -1))]

    def _bind_pixel(self, ops: Sequence[Operation], column: int, phase_of_rows: int) -> list[Run]:
        runs: list[Run] = []
        viewers: dict[int, Callable[[Ref], Tensor]] = {}
        for op in ops:
            level = self._level(op)
            if phase_of_rows % (1 << level) or column % (1 << level):
                continue
            stride = max((tap.up for tap in op.taps), default=1) if isinstance(op, Affine) else 1
            own = column >> level
            residue = (phase_of_rows >> level) % stride, own % stride
            if level not in viewers:  # one view for all that an operation after another does with a cell
                viewers[level] = functools.cache(self._viewer(own, level))
            runs += self._bind_once(op, viewers[level], residue)
        return runs

    def _bind_once(self, op: Operation, view: Callable[[Ref], Tensor], residue: tuple[int, int]) -> list[Run]:
        """One binding for all columns where all columns have the same views: fewer objects go through the caches."""
        if not all(self._rows.is_cell(ref) for ref in refs_of(op)):
            return self._bind(op, view, residue)
        key = (id(op), *residue)
        if key not in self._bound:
            self._bound[key] = self._bind(op, view, residue)
        return self._bound[key]

    def _viewer(self, column: int, level: int, row_shift: int = 0) -> Callable[[Ref], Tensor]:
        def view(ref: Ref) -> Tensor:
            if self._feature(ref).is_vector:
                return self._vectors[ref.feature][:, ref.start : ref.stop]
            return self._rows.view(ref, column, level, row_shift)

        return view

    def _bind(self, op: Operation, view: Callable[[Ref], Tensor], residue: tuple[int, int] = (0, 0)) -> list[Run]:
        """`residue`: row and column modulo the stride of the operation's up-taps."""
        if not isinstance(op, Affine):
            outs, ins = [view(out) for out in op.outs], [view(ref) for ref in op.ins]
            if op.kind == "gate" and self._scales:
                return bind_scaled_gate(outs, ins, self._scratch, id(op) in self._last_reads)
            return bind_pointwise(op.kind, outs, ins, self._scratch)
        weight, bias = self._weights.of(op, residue)
        sources = [view(tap.source) for tap in op.taps]
        out = view(op.out)
        is_wide = sources and out.dim() == 3 and pays(len(out), weight)  # a row phase: [column, slot, width]
        wide = self._weights.wide(op, residue) if is_wide else None
        added = view(op.added) if isinstance(op, Sum) and op.added else out if op.accumulate else None
        return bind_affine(out, sources, weight, bias, added, self._scratch, wide)


def _outs(phase: Phase) -> set[str]:
    return {out.feature for op in phase.ops for out in ((op.out,) if isinstance(op, Affine) else op.outs)}
