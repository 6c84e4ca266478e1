"""Features of which one cell a slot is enough: they are read only in the pixel phases, where they were written.

One cell serves all columns, so that it stays in the caches; and what one affine map reads side by side lies side by
side, so that nothing need be copied together.
"""

import torch
from torch import Tensor

from engine.sums import Sum
from models.program import PIXEL, Affine, Operation, Program, Ref


def cell_buffers(program: Program, num_slots: int, device: str, dtype: torch.dtype) -> dict[str, Tensor]:
    """[1, 1, slots, width] of each such feature."""
    buffers: dict[str, Tensor] = {}
    for names in _groups(program, _cells(program)):
        widths = [program.feature(name).width for name in names]
        joined = torch.zeros(num_slots, sum(widths), device=device, dtype=dtype)
        buffers |= {name: part[None, None] for name, part in zip(names, torch.split(joined, widths, 1), strict=True)}
    return buffers


def windows(program: Program) -> frozenset[str]:
    """Features that an affine map of a pixel phase reads at several columns.

    Where the columns of a slot lie side by side, what it reads is one matrix.
    """
    names: set[str] = set()
    for op in (op for phase in program.phases if phase.kind == "pixel" for op in phase.ops if isinstance(op, Affine)):
        sources = [tap.source.feature for tap in op.taps]
        names |= {name for name in sources if sources.count(name) > 1}
    return frozenset(names - {PIXEL})


def side_by_side(parts: list[Tensor]) -> Tensor | None:
    """Matrices [rows, width] as the one that they are parts of; None if they are not, in that order."""
    first, end = parts[0], parts[0].storage_offset()
    for part in parts:
        is_next = part.dim() == 2 and part.stride() == first.stride() and part.storage_offset() == end
        if not is_next or part.untyped_storage().data_ptr() != first.untyped_storage().data_ptr():
            return None
        end += part.shape[1]
    width = end - first.storage_offset()
    return first.as_strided((first.shape[0], width), first.stride()) if width <= first.stride(0) else None


def refs_of(op: Operation) -> tuple[Ref, ...]:
    """All that an operation writes and reads."""
    if isinstance(op, Affine):
        added = (op.added,) if isinstance(op, Sum) and op.added else ()
        return (op.out, *(tap.source for tap in op.taps), *added)
    return (*op.outs, *op.ins)


def _cells(program: Program) -> list[str]:
    cells = {f.name: None for f in program.features if f.scope == "map" and f.level == 0 and f.name != PIXEL}
    for phase in program.phases:
        for ref in (ref for op in phase.ops for ref in refs_of(op)):
            if phase.kind != "pixel" or ref.dy or ref.dx:
                cells.pop(ref.feature, None)
    return list(cells)


def _groups(program: Program, cells: list[str]) -> list[list[str]]:
    """The cells, those together that an affine map reads one after the other."""
    left, groups = dict.fromkeys(cells), list[list[str]]()
    for op in (op for phase in program.phases for op in phase.ops if isinstance(op, Affine)):
        names = [tap.source.feature for tap in op.taps]
        if len(names) > 1 and len(set(names)) == len(names) and all(name in left for name in names):
            groups.append(names)
            for name in names:
                del left[name]
    return groups + [[name] for name in left]
