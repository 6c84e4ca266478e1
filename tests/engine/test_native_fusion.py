"""Which operations join an affine map, and which must stay where they are."""

from engine.native.fusion import FusedAffine, fuse
from models.program import Affine, Operation, Pointwise, Ref, Tap

X, R, Y = Ref("x", 0, 4), Ref("r", 0, 4), Ref("y", 0, 4)
MAP = Affine(X, (Tap(Y, "w"),), "b")


def add(out: Ref, *ins: Ref) -> Pointwise:
    return Pointwise("add", (out,), ins)


def relu(ref: Ref) -> Pointwise:
    return Pointwise("relu", (ref,), (ref,))


def fused(*ops: Operation) -> list[FusedAffine | Pointwise]:
    return fuse(ops)


def test_a_residual_and_a_relu_join() -> None:
    assert fused(MAP, add(X, X, R), relu(X)) == [FusedAffine(MAP, (R,), "relu")]


def test_nothing_joins_after_the_relu() -> None:
    assert fused(MAP, relu(X), add(X, X, R)) == [FusedAffine(MAP, (), "relu"), add(X, X, R)]


def test_a_partial_sum_is_the_first_addend() -> None:
    partial = Affine(X, MAP.taps, None, accumulate=True)
    assert fused(partial, add(X, R, X)) == [FusedAffine(partial, (X, R))]


def test_operations_in_between_are_passed_if_they_do_not_meddle() -> None:
    other = relu(Ref("z", 0, 4))
    assert fused(MAP, other, add(X, X, R)) == [FusedAffine(MAP, (R,)), other]


def test_a_reader_in_between_sees_the_map_as_it_was() -> None:
    reader = Pointwise("tanh", (Y,), (X,))
    assert fused(MAP, reader, add(X, X, R)) == [FusedAffine(MAP), reader, add(X, X, R)]


def test_what_is_added_must_have_been_computed() -> None:
    writer = relu(R)
    assert fused(MAP, writer, add(X, X, R)) == [FusedAffine(MAP), writer, add(X, X, R)]


def test_a_map_is_not_added_to_itself_or_to_a_part_of_itself() -> None:
    doubled = add(X, X, X)
    assert fused(MAP, doubled) == [FusedAffine(MAP), doubled]
    low = Affine(Ref("x", 0, 2), MAP.taps)
    shifted = add(Ref("x", 0, 2), Ref("x", 0, 2), Ref("x", 1, 3))
    assert fused(low, shifted) == [FusedAffine(low), shifted]
