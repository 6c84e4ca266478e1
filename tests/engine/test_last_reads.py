"""Who is the last to read a feature."""

from dataclasses import replace

import pytest

from engine.last_reads import last_reads
from engine.sums import with_sums
from models.gated_pixelcnn import GatedPixelCNN
from models.program import Affine, Feature, Operation, Phase, Pointwise, Program, Ref

WIDTH = 32


@pytest.fixture
def program() -> Program:
    return with_sums(GatedPixelCNN(1, 2, WIDTH, [1, 1], head_width=6).eval().program())


def gates(program: Program) -> dict[str, Pointwise]:
    """By what they read."""
    ops = [op for phase in program.phases for op in phase.ops]
    return {op.ins[0].feature: op for op in ops if isinstance(op, Pointwise) and op.kind == "gate"}


def with_operation(program: Program, kind: str, op: Operation, at: int) -> Program:
    """`op` in a phase, at a place among its operations."""
    phases = tuple(
        replace(phase, ops=(*phase.ops[:at], op, *phase.ops[at:])) if phase.kind == kind and not phase.group else phase
        for phase in program.phases
    )
    other = Feature("other", 2 * WIDTH, left=program.features[1].left)
    return replace(program, features=(*program.features, other), phases=phases)


def test_the_gates_of_a_gated_pixelcnn_are_the_last_to_read_what_they_read(program: Program) -> None:
    found = gates(program)
    assert found.keys() == {"u0", "u1", "w0", "w1", "w2"}
    assert {id(op) for op in found.values()} <= last_reads(program)


def test_a_later_read_counts_wherever_it_is(program: Program) -> None:
    num_ops = {phase.kind: len(phase.ops) for phase in program.phases if not phase.group}
    for kind, offset in (("row", (0, 0)), ("pixel", (0, 0)), ("pixel", (0, -1)), ("row", (-1, 1))):
        later = Pointwise("tanh", (Ref("other", 0, 2 * WIDTH),), (Ref("u1", 0, 2 * WIDTH, *offset),))
        changed = with_operation(program, kind, later, num_ops[kind])
        spent = {name for name, op in gates(changed).items() if id(op) in last_reads(changed)}
        assert spent == {"u0", "w0", "w1", "w2"}


def test_an_earlier_read_at_the_same_place_does_not(program: Program) -> None:
    (row,) = (phase for phase in program.phases if phase.kind == "row")
    place = row.ops.index(gates(program)["u1"])
    earlier = Pointwise("tanh", (Ref("other", 0, 2 * WIDTH),), (Ref("u1", 0, 2 * WIDTH),))
    changed = with_operation(program, "row", earlier, place)
    assert {id(op) for op in gates(changed).values()} <= last_reads(changed)


def test_what_is_not_overwritten_as_a_whole_counts_as_read(program: Program) -> None:
    """Else the next place would go on from what the gate has left there."""
    phases = []
    for phase in program.phases:
        ops: list[Operation] = []
        for op in phase.ops:
            if isinstance(op, Affine) and op.out == Ref("u1", 0, 2 * WIDTH):
                halves = Ref("u1", 0, WIDTH), Ref("u1", WIDTH, 2 * WIDTH)
                ops += [replace(op, out=half, taps=(), bias=None) for half in halves]
            else:
                ops.append(op)
        phases.append(Phase(phase.kind, tuple(ops), phase.group))
    changed = replace(program, phases=tuple(phases))
    assert id(gates(changed)["u1"]) not in last_reads(changed)


def spent(program: Program) -> set[str]:
    """What gates of wide features are the last to read."""
    return {name for name, op in gates(program).items() if id(op) in last_reads(program)}


def test_what_a_phase_reads_that_runs_after_the_pixels_is_not_spent(program: Program) -> None:
    other = Pointwise("tanh", (Ref("other", 0, 2 * WIDTH),), (Ref("w1", 0, 2 * WIDTH),))
    rows = [phase for phase in program.phases if phase.kind == "row"]
    late = Phase("row_reverse", (other,)), Phase("row", ())
    phases = tuple(p for phase in program.phases for p in ((phase, *late) if phase is rows[-1] else (phase,)))
    changed = replace(program, features=(*program.features, Feature("other", 2 * WIDTH)), phases=phases)
    assert spent(changed) == {"u0", "u1", "w0", "w2"}


def test_what_a_head_reads_is_not_spent(program: Program) -> None:
    (head,) = program.heads
    changed = replace(program, heads=(replace(head, inputs=(Ref("w1", 0, 1),)),))
    assert spent(changed) == {"u0", "u1", "w0", "w2"}


def test_an_operation_that_stands_twice_is_left_alone(program: Program) -> None:
    twice = with_operation(program, "pixel", gates(program)["w0"], 2)
    assert spent(twice) == set()
