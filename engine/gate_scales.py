"""Gates in two calls in place of three: what a gate takes the tanh of is kept times -2.

tanh(f) = 1 - 2 sigmoid(-2 f), so tanh(f) sigmoid(g) = s - 2 t s, where t and s are the sigmoid of -2 f and g side by
side. The weights are multiplied, once, by powers of two: no sum is rounded otherwise.
"""

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from engine.cells import refs_of
from engine.elementwise import BLOCK, sigmoid_of
from engine.scratch import Run, Scratch
from engine.sums import Sum
from models.program import Operation, Pointwise, Program, Ref

TANH_SCALE = -2.0


def gate_scales(program: Program) -> dict[str, Tensor]:
    """Of the features that are kept scaled, what their channels are multiplied with, [width].

    All that gates read, and what is added to it; or nothing, where that does not fill whole vectors or is read by
    functions that are not linear.
    """
    ops = [op for phase in program.phases for op in phase.ops]
    gated = [op.ins[0] for op in ops if isinstance(op, Pointwise) and op.kind == "gate"]
    names = _with_what_is_added({ref.feature for ref in gated}, ops)
    features = [program.feature(name) for name in names]
    if len({f.width for f in features}) != 1 or any(ref.width % (2 * BLOCK) for ref in gated):
        return {}
    if any(f.is_given or f.top or f.left or f.right for f in features) or names & _read_as_they_are(program, ops):
        return {}
    scale = torch.ones(features[0].width)
    for ref in gated:
        scale[ref.start : ref.start + ref.width // 2] = TANH_SCALE
    has_other = any((scale[ref.start + ref.width // 2 : ref.stop] != 1).any() for ref in gated)
    return {} if has_other else dict.fromkeys(names, scale)


def bind_scaled_gate(outs: list[Tensor], ins: list[Tensor], scratch: Scratch, is_last: bool) -> list[Run]:
    """As the gate of `models.program.Pointwise`, of features that are kept scaled. `is_last`: the last to read them."""
    in_place: tuple[list[Run], Tensor] = [partial(torch.sigmoid_, ins[0])], ins[0]
    calls, sigmoids = in_place if is_last else sigmoid_of(ins[0], scratch)
    t, s = sigmoids.chunk(2, -1)
    return [*calls, partial(torch.addcmul, s, t, s, value=TANH_SCALE, out=outs[0])]


def _with_what_is_added(names: set[str], ops: Sequence[Operation]) -> set[str]:
    sums = [{ref.feature for ref in refs} for refs in map(_summands, ops) if refs]
    while more := {name for both in sums if both & names for name in both} - names:
        names = names | more
    return names


def _summands(op: Operation) -> tuple[Ref, ...]:
    """What has to be scaled alike."""
    if isinstance(op, Sum) and op.added:
        return (op.out, op.added)
    return refs_of(op) if isinstance(op, Pointwise) and op.kind == "add" else ()


def _read_as_they_are(program: Program, ops: Sequence[Operation]) -> set[str]:
    """Features that may not be scaled: affine maps can undo it, and sums of the same channels keep it."""
    refs = [ref for head in program.heads for ref in head.inputs]
    for op in ops:
        if summands := _summands(op):
            refs += summands if len({(ref.start, ref.stop) for ref in summands}) > 1 else ()
        elif isinstance(op, Pointwise):
            refs += op.outs if op.kind == "gate" else refs_of(op)
    return {ref.feature for ref in refs}
