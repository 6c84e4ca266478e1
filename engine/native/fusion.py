"""Affine maps joined with the additions and the ReLU that follow them: one pass over memory instead of two or three.

    Affine x = W y ; add x = x + r ; relu x      ->      x = relu(r + W y)

An operation may move up to its affine map if nothing in between reads or writes what either of them writes, or writes
what it reads. The order of summation becomes bias, addends, taps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from models.program import Affine, Operation, Pointwise, Ref

Activation = Literal["none", "relu"]


@dataclass(frozen=True, slots=True)
class FusedAffine:
    """`activation` of bias + addends + taps of `affine`; its partial sum is among the addends."""

    affine: Affine
    addends: tuple[Ref, ...] = ()
    activation: Activation = "none"


def fuse(ops: Sequence[Operation]) -> list[FusedAffine | Pointwise]:
    """The operations of one phase with every addition and ReLU joined to its affine map where that may be."""
    left, fused = list(ops), list[FusedAffine | Pointwise]()
    while left:
        op = left.pop(0)
        fused.append(_absorb(op, left) if isinstance(op, Affine) else op)
    return fused


def _absorb(affine: Affine, later: list[Operation]) -> FusedAffine:
    """Takes what can be joined with `affine` out of `later`."""
    fused = FusedAffine(affine, (affine.out,) if affine.accumulate else ())
    index = 0
    while index < len(later) and fused.activation == "none":
        op = later[index]
        if isinstance(op, Pointwise) and _continues(affine.out, op) and _may_move(op, later[:index]):
            others = tuple(ref for ref in op.ins if ref != affine.out)
            activation: Activation = "relu" if op.kind == "relu" else "none"
            fused = FusedAffine(affine, (*fused.addends, *others), activation)
            del later[index]
        elif any(_overlap(ref, affine.out) for ref in _touched(op)):
            break
        else:
            index += 1
    return fused


def _continues(out: Ref, op: Pointwise) -> bool:
    """Whether `op` is out = relu(out), or out = out + others where the others are no part of it."""
    if op.kind not in ("add", "relu") or op.outs != (out,) or op.ins.count(out) != 1:
        return False
    return not any(_overlap(ref, out) for ref in op.ins if ref != out)


def _may_move(op: Pointwise, over: Sequence[Operation]) -> bool:
    return not any(_overlap(written, read) for other in over for written in _outs(other) for read in op.ins)


def _outs(op: Operation) -> tuple[Ref, ...]:
    return (op.out,) if isinstance(op, Affine) else op.outs


def _touched(op: Operation) -> Iterator[Ref]:
    yield from _outs(op)
    yield from (tap.source for tap in op.taps) if isinstance(op, Affine) else op.ins


def _overlap(a: Ref, b: Ref) -> bool:
    return a.feature == b.feature and a.start < b.stop and b.start < a.stop
