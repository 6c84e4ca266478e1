"""Residual connections without their biases: torch then adds what is there already in the call of the product.

    h_{l+1} = h_l + b_l + W g_l        is kept less what the biases come to,  h'_l = h_l - B_l,  B_{l+1} = B_l + b_l:
    h'_{l+1} = h'_l + W g_l

Who reads h' through weights V has V B in its own bias, and h' is read as -B (or what is learned, less B) left of the
image. A product that accumulates has no call for a bias: its V B goes to whoever writes there first.
"""

from dataclasses import replace

import torch
from torch import Tensor

from engine.cells import refs_of
from engine.sums import Sum
from models.program import Affine, Feature, Operation, Phase, Program, Ref


def with_carried_biases(program: Program) -> Program:
    """`program`, whose residual connections `with_sums` has joined, with such biases moved."""
    ops, parameters = _ops(program), dict(program.parameters)
    lacking = _lacking(program)
    if not lacking:
        return program
    dtype = next(iter(parameters.values())).dtype
    moved: dict[int, Tensor] = {}  # by id of the operation whose bias grows
    for op in ops:
        if isinstance(op, Affine) and not _is_carried(op, lacking) and (missing := _missing(op, lacking, parameters)):
            receiver = _receiver(op, program)
            assert receiver is not None  # else `_lacking` would not have what it reads
            moved[id(receiver)] = sum(missing, start=moved.get(id(receiver), torch.zeros(())))

    def named(value: Tensor) -> str:
        name = f"carried {len(parameters)}"
        parameters[name] = value.to(dtype)
        return name

    def changed(op: Operation) -> Operation:
        if isinstance(op, Affine) and _is_carried(op, lacking):
            return replace(op, bias=None)
        if isinstance(op, Affine) and id(op) in moved:
            return replace(op, bias=named(moved[id(op)] + (0 if op.bias is None else parameters[op.bias].double())))
        return op

    def with_left(feature: Feature) -> Feature:
        if feature.name not in lacking:
            return feature
        learned = 0 if feature.left is None else parameters[feature.left].double()
        return replace(feature, left=named(learned - lacking[feature.name]))

    phases = tuple(Phase(phase.kind, tuple(changed(op) for op in phase.ops), phase.group) for phase in program.phases)
    features = tuple(with_left(feature) for feature in program.features)
    return replace(program, features=features, phases=phases, parameters=parameters)


def _lacking(program: Program) -> dict[str, Tensor]:
    """B of each feature that can be kept less it, float64."""
    ops = _ops(program)
    lacking: dict[str, Tensor] = {}
    if program.max_level or len({id(op) for op in ops}) < len(ops):  # an operation that stands twice has two biases
        return lacking
    for op in ops:
        if isinstance(op, Sum) and op.added and op.bias and _can_lack(op.out, program):
            before = lacking.get(op.added.feature)
            bias = program.parameters[op.bias].double()
            lacking[op.out.feature] = bias if before is None else before[op.added.start : op.added.stop] + bias
    written: set[str] = set()
    for op in ops:
        if isinstance(op, Sum) and op.added and _is_carried(op, lacking):
            is_added_early = op.added.feature not in lacking or op.added.feature in written
            if not is_added_early or any(tap.source.feature in lacking for tap in op.taps):
                return {}  # B is a sum of biases alone
            written.add(op.out.feature)
    return lacking


def _can_lack(out: Ref, program: Program) -> bool:
    """Whether it is a whole feature, written once, and read by affine maps of pixel phases alone, in its own row."""
    ops = _ops(program)
    in_rows = {
        ref.feature for phase in program.phases if phase.kind != "pixel" for op in phase.ops for ref in refs_of(op)
    }
    by_heads = {ref.feature for head in program.heads for ref in head.inputs}
    touching = [op for op in ops if out.feature in {ref.feature for ref in refs_of(op)}]
    return (
        out == Ref(out.feature, 0, program.feature(out.feature).width)
        and out.feature not in in_rows | by_heads
        and sum(isinstance(op, Affine) and op.out.feature == out.feature for op in touching) == 1
        and all(isinstance(op, Affine) and _receiver(op, program) is not None for op in touching)
        and not any(ref.dy for op in touching for ref in refs_of(op))
    )


def _is_carried(op: Operation, lacking: dict[str, Tensor]) -> bool:
    return isinstance(op, Affine) and op.out.feature in lacking


def _missing(op: Affine, lacking: dict[str, Tensor], parameters: dict[str, Tensor]) -> list[Tensor]:
    """What an operation would lack that reads features kept less B, a summand a reference, float64."""
    found = [
        parameters[tap.weight].double() @ lacking[tap.source.feature][tap.source.start : tap.source.stop]
        for tap in op.taps
        if tap.source.feature in lacking
    ]
    if isinstance(op, Sum) and op.added and op.added.feature in lacking:
        found.append(lacking[op.added.feature][op.added.start : op.added.stop])
    return found


def _receiver(op: Affine, program: Program) -> Affine | None:
    """Whose bias can grow in place of that of `op`: its own, or that of the operation that writes there first, if until
    `op` all others only accumulate there and no head reads it."""
    if not op.accumulate:
        return op
    ops, name = _ops(program), op.out.feature
    touching = [other for other in ops if name in {ref.feature for ref in refs_of(other)}]
    before = touching[: next(k for k, other in enumerate(touching) if other is op)]
    others = [other for other in before if isinstance(other, Affine) and other.out == op.out]
    is_free = len(others) == len(before) and all(refs_of(other).count(op.out) == 1 for other in others)
    is_read_by_heads = any(ref.feature == name for head in program.heads for ref in head.inputs)
    if not others or not is_free or is_read_by_heads or [other.accumulate for other in others].count(False) != 1:
        return None
    return None if others[0].accumulate else others[0]


def _ops(program: Program) -> list[Operation]:
    return [op for phase in program.phases for op in phase.ops]
