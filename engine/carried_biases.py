"""Residual connections without their biases: torch then adds what is there already in the call of the product.

    h_{l+1} = h_l + b_l + W g_l        is kept less what the biases come to,  h'_l = h_l - B_l,  B_{l+1} = B_l + b_l:
    h'_{l+1} = h'_l + W g_l

Who reads h' through weights V has V B in its own bias, and h' is read as -B (or what is learned, less B) left of the
image. A product that accumulates has no call for a bias: its V B goes to whoever writes there first.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from engine.cells import refs_of
from engine.sums import Sum
from models.program import Affine, Feature, Operation, Phase, Program, Ref


def with_carried_biases(program: Program) -> Program:
    """`program`, whose residual connections `with_sums` has joined, with such biases moved."""
    lacking = _lacking(program)
    if not lacking:
        return program
    parameters = dict(program.parameters)
    moved: dict[int, Tensor] = {}  # by id of the operation whose bias grows
    ops = _ops(program)
    for op in ops:
        if isinstance(op, Affine) and not _is_carried(op, lacking) and (missing := _missing(op, lacking, parameters)):
            receiver = _receiver(op, ops)
            assert receiver is not None  # else `_lacking` would not have what it reads
            moved[id(receiver)] = sum(missing, start=moved.get(id(receiver), torch.zeros(())))

    def changed(op: Operation) -> Operation:
        if isinstance(op, Affine) and _is_carried(op, lacking):
            return replace(op, bias=None)
        if isinstance(op, Affine) and id(op) in moved:
            name = f"{op.out.feature} {op.out.start} with what is carried"
            own = 0 if op.bias is None else parameters[op.bias].double()
            parameters[name] = (own + moved[id(op)]).to(parameters[op.taps[0].weight].dtype)
            return replace(op, bias=name)
        return op

    def with_left(feature: Feature) -> Feature:
        if feature.name not in lacking:
            return feature
        name = f"{feature.name} left of the image, less what is carried"
        learned = 0 if feature.left is None else parameters[feature.left].double()
        parameters[name] = (learned - lacking[feature.name]).to(next(iter(parameters.values())).dtype)
        return replace(feature, left=name)

    phases = tuple(Phase(phase.kind, tuple(changed(op) for op in phase.ops), phase.group) for phase in program.phases)
    features = tuple(with_left(feature) for feature in program.features)
    return replace(program, features=features, phases=phases, parameters=parameters)


def _lacking(program: Program) -> dict[str, Tensor]:
    """B of each feature that can be kept less it, float64."""
    ops = _ops(program)
    lacking: dict[str, Tensor] = {}
    if program.max_level:
        return lacking
    for op in ops:
        if isinstance(op, Sum) and op.added and op.bias and not op.accumulate and _can_lack(op.out, program, ops):
            before = lacking.get(op.added.feature)
            bias = program.parameters[op.bias].double()
            lacking[op.out.feature] = bias if before is None else before[op.added.start : op.added.stop] + bias
    sources = {tap.source.feature for op in ops if _is_carried(op, lacking) for tap in op.taps}  # type: ignore[union-attr]
    return {} if sources & lacking.keys() else lacking


def _can_lack(out: Ref, program: Program, ops: Sequence[Operation]) -> bool:
    """Whether it is a whole feature, written once, and read by affine maps of pixel phases alone, in its own row."""
    in_rows = {
        ref.feature for phase in program.phases if phase.kind != "pixel" for op in phase.ops for ref in refs_of(op)
    }
    by_heads = {ref.feature for head in program.heads for ref in head.inputs}
    touching = [op for op in ops if out.feature in {ref.feature for ref in refs_of(op)}]
    return (
        out == Ref(out.feature, 0, program.feature(out.feature).width)
        and out.feature not in in_rows | by_heads
        and sum(isinstance(op, Affine) and op.out.feature == out.feature for op in touching) == 1
        and all(isinstance(op, Affine) and _receiver(op, ops) is not None for op in touching)
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


def _receiver(op: Affine, ops: Sequence[Operation]) -> Affine | None:
    """Whose bias can grow in place of that of `op`: its own, or that of the operation that writes there first and
    whom nobody reads before `op`."""
    if not op.accumulate:
        return op
    touching = [other for other in ops if op.out.feature in {ref.feature for ref in refs_of(other)}]
    first, before = touching[0], touching[: next(k for k, other in enumerate(touching) if other is op)]
    is_free = all(
        isinstance(other, Affine) and refs_of(other).count(op.out) == 1 and other.out == op.out for other in before
    )
    return first if is_free and isinstance(first, Affine) and not first.accumulate and before else None


def _ops(program: Program) -> list[Operation]:
    return [op for phase in program.phases for op in phase.ops]
