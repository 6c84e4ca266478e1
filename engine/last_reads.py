"""Operations that may leave something else in the place of what they read: nobody reads that any more."""

from collections.abc import Iterator

from engine.cells import refs_of
from engine.sums import Sum
from models.program import PIXEL, Affine, Operation, Pointwise, Program, Ref


def last_reads(program: Program) -> frozenset[int]:
    """`id`s of the pointwise operations that are the last to read each of the features that they read.

    Of features that are written anew at every place, as a whole and before anything else, and read nowhere but there.
    """
    ops = [op for phase in program.phases for op in phase.ops]
    if program.max_level or len({id(op) for op in ops}) < len(ops):
        return frozenset()  # a place of a coarser level is read at several columns; an operation may stand twice
    spent = {f.name for f in program.features if f.scope == "map" and f.name != PIXEL}
    spent -= {ref.feature for head in program.heads for ref in head.inputs}
    spent -= {ref.feature for op in ops for ref in refs_of(op) if ref.dy or ref.dx}
    # Such a phase runs over a row when all of its pixels are drawn.
    late = [op for phase in program.phases if phase.kind == "row_reverse" for op in phase.ops]
    spent -= {ref.feature for op in late for ref in refs_of(op)}
    first, last = dict[str, Operation](), dict[str, Operation]()
    for op in ops:
        for name in {ref.feature for ref in refs_of(op)}:
            first.setdefault(name, op)
        last |= {ref.feature: op for ref in _reads(op)}
    widths = {f.name: f.width for f in program.features}
    spent &= {name for name, op in first.items() if Ref(name, 0, widths[name]) in _overwritten(op)}
    return frozenset(
        id(op)
        for op in ops
        if isinstance(op, Pointwise) and all(ref.feature in spent and last[ref.feature] is op for ref in op.ins)
    )


def _reads(op: Operation) -> Iterator[Ref]:
    if isinstance(op, Affine):
        yield from (tap.source for tap in op.taps)
        if op.accumulate:
            yield op.out
        if isinstance(op, Sum) and op.added:
            yield op.added
    else:
        yield from op.ins


def _overwritten(op: Operation) -> tuple[Ref, ...]:
    """What an operation writes without a look at what was there."""
    if isinstance(op, Affine):
        return () if op.accumulate or op.out in _reads(op) else (op.out,)
    return tuple(ref for ref in op.outs if ref not in op.ins)
