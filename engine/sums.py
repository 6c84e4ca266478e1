"""Affine maps whose output the next operation adds to something else, as one operation: a residual connection.

The product is then added to what is there already, which saves a pass over the output.
"""

from dataclasses import dataclass, fields, replace

from models.program import Affine, Operation, Phase, Pointwise, Program, Ref


@dataclass(frozen=True, slots=True)
class Sum(Affine):
    """out = added + bias + sum over taps."""

    added: Ref | None = None


def with_sums(program: Program) -> Program:
    """`program` with each such pair of operations as one."""
    return replace(program, phases=tuple(replace(phase, ops=_joined(phase)) for phase in program.phases))


def _joined(phase: Phase) -> tuple[Operation, ...]:
    ops: list[Operation] = []
    for op in phase.ops:
        last = ops[-1] if ops else None
        if isinstance(last, Affine) and (added := _added(last, op)):
            ops[-1] = Sum(**{field.name: getattr(last, field.name) for field in fields(Affine)}, added=added)
        else:
            ops.append(op)
    return tuple(ops)


def _added(affine: Affine, op: Operation) -> Ref | None:
    if affine.accumulate or not isinstance(op, Pointwise) or op.kind != "add" or len(op.ins) != 2:
        return None
    mine, other = op.ins
    is_sum = op.outs == (affine.out,) == (mine,) and other.feature != mine.feature
    return other if is_sum else None
