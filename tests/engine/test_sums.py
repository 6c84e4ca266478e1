"""Residual connections as one operation."""

from engine.sums import Sum, with_sums
from models.gated_pixelcnn import GatedPixelCNN
from models.program import Affine, Operation, Pointwise, Program, Ref


def pixel_ops(program: Program) -> list[Operation]:
    return [op for phase in program.phases if phase.kind == "pixel" for op in phase.ops]


def test_an_affine_map_takes_over_what_the_next_operation_adds() -> None:
    program = GatedPixelCNN(1, 2, 8, [1, 1]).eval().program()
    before, after = pixel_ops(program), pixel_ops(with_sums(program))
    sums = [op for op in after if isinstance(op, Sum)]
    assert [(op.out.feature, op.added) for op in sums] == [("h1", Ref("h0", 0, 8))]
    assert len(after) == len(before) - 1
    assert not any(isinstance(op, Pointwise) and op.kind == "add" for op in after)


def test_what_is_accumulated_or_read_at_another_place_is_left_alone() -> None:
    """`w0` += ... is followed by a gate, and the first layer has no residual connection."""
    program = GatedPixelCNN(1, 2, 8, []).eval().program()
    assert pixel_ops(with_sums(program)) == pixel_ops(program)
    assert any(isinstance(op, Affine) and op.accumulate for op in pixel_ops(program))
