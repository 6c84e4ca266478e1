"""Residual connections whose biases are moved: where they go, and that nobody sees it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.carried_biases import with_carried_biases
from engine.engine import Engine
from engine.sums import Sum, with_sums
from models.gated_pixelcnn import GatedPixelCNN
from models.program import PIXEL, Affine, Feature, Head, Operation, Phase, Pointwise, Program, Ref, Tap
from tests import devices
from tests.engine.oracle import log_prob_map
from tests.engine.test_conformance import request, run

WIDTHS = {"told": 3, "a": 3, "b": 3, "c": 3, "logits": 4}


def affine(out: str, *taps: tuple[str, int, int], accumulate: bool = False) -> Affine:
    refs = [Ref(name, 0, 1 if name == PIXEL else WIDTHS[name], dy, dx) for name, dy, dx in taps]
    named = tuple(Tap(ref, f"{out} {ref.feature} {ref.dy} {ref.dx}") for ref in refs)
    return Affine(Ref(out, 0, WIDTHS[out]), named, None if accumulate else f"{out} bias", accumulate)


def add(out: str, other: str) -> Pointwise:
    ref = Ref(out, 0, WIDTHS[out])
    return Pointwise("add", (ref,), (ref, Ref(other, 0, WIDTHS[other])))


ROW = (affine("told", (PIXEL, -1, 0), (PIXEL, -1, 1)),)
PIXEL_OPS: tuple[Operation, ...] = (
    affine("a", (PIXEL, 0, -1)),
    affine("b", ("a", 0, 0)),  # + a: b lacks its bias from here on
    add("b", "a"),
    affine("c", ("a", 0, -1), ("a", 0, 0)),
    add("c", "b"),
    affine("told", ("b", 0, -1), ("c", 0, -1), ("b", 0, 0), accumulate=True),
    affine("logits", ("c", 0, 0), ("told", 0, 0)),
)


def program(
    ops: tuple[Operation, ...] = PIXEL_OPS,
    row: tuple[Operation, ...] = ROW,
    later: tuple[Operation, ...] = (),
    head: str = "logits",
) -> Program:
    """With operations `later`, that run once the first channel is drawn, there is a second one."""
    generator = torch.Generator().manual_seed(2)
    parameters = {"b left": torch.randn(3, generator=generator, dtype=torch.float64)}
    for op in (op for op in (*row, *ops, *later) if isinstance(op, Affine)):
        for tap in op.taps:
            shape = op.out.width, tap.source.width
            parameters[tap.weight] = 0.7 * torch.randn(shape, generator=generator, dtype=torch.float64)
        if op.bias:
            parameters[op.bias] = torch.randn(op.out.width, generator=generator, dtype=torch.float64)
    learned = {"b": "b left"}
    num_channels = 2 if later else 1
    features = (
        Feature(PIXEL, num_channels),
        *(Feature(name, width, left=learned.get(name)) for name, width in WIDTHS.items()),
    )
    phases = Phase("row", row), Phase("pixel", ops, 0), Phase("pixel", later, 1)
    heads = tuple(Head("categorical", (Ref(head, 0, WIDTHS[head]),), c, c + 1) for c in range(num_channels))
    return Program(num_channels, WIDTHS[head], features, phases, heads, parameters)


def without_bias(program: Program) -> set[str]:
    """What residual connections write that add none."""
    ops = [op for phase in program.phases for op in phase.ops]
    return {op.out.feature for op in ops if isinstance(op, Sum) and op.bias is None}


def check(program: Program) -> None:
    image = np.random.default_rng(0).integers(0, program.num_levels, (5, 6, program.channels)).astype(np.uint8)
    engine = Engine(program, 4, devices.DEVICE, torch.float64, interpreter="torch")
    drawn = run(engine, [request("a", image, None, None, known_rows=5)])["a"]
    assert drawn.log_prob == pytest.approx(log_prob_map(program, image, None, None).sum(), rel=1e-12)


def test_what_reads_such_features_and_what_is_left_of_the_image_make_up_for_it() -> None:
    assert without_bias(with_carried_biases(with_sums(program()))) == {"b", "c"}
    check(program())


def test_every_residual_connection_of_a_gated_pixelcnn() -> None:
    torch.manual_seed(0)
    gated = GatedPixelCNN(1, 2, 8, [1, 1, 1], head_width=6).double().eval().program()
    assert without_bias(with_carried_biases(with_sums(gated))) == {"h1", "h2"}
    check(gated)


@pytest.mark.parametrize(
    ("reader", "left"),
    [
        (Pointwise("tanh", (Ref("told", 0, 3),), (Ref("b", 0, 3, 0, -1),)), {"c"}),
        (Pointwise("tanh", (Ref("told", 0, 3),), (Ref("c", 0, 3, 0, -1),)), {"b"}),
        (Pointwise("relu", (Ref("c", 0, 3),), (Ref("c", 0, 3),)), {"b"}),
    ],
    ids=["a function reads b", "a function reads c", "c is written twice"],
)
def test_others_keep_their_biases(reader: Operation, left: set[str]) -> None:
    changed = program((*PIXEL_OPS[:5], reader, *PIXEL_OPS[6:]))
    assert without_bias(with_carried_biases(with_sums(changed))) == left
    check(changed)


def test_what_a_row_phase_reads_keeps_its_bias() -> None:
    changed = program(row=(*ROW, replace(affine("logits", ("c", -1, 0)), bias=None)))
    assert without_bias(with_carried_biases(with_sums(changed))) == {"b"}
    check(changed)


def test_what_somebody_reads_before_the_product_that_would_make_up_for_it_keeps_its_bias() -> None:
    """`told` is read between its first writer and the one that accumulates."""
    early = affine("logits", ("told", 0, 0)), *PIXEL_OPS[:-1], replace(PIXEL_OPS[-1], accumulate=True, bias=None)
    changed = program(early)
    assert without_bias(with_carried_biases(with_sums(changed))) == set()
    check(changed)


LOGITS = affine("logits", ("c", 0, 0), ("told", 0, 0))
FIRST = (affine("a", (PIXEL, 0, -1)), affine("b", ("a", 0, 0)), add("b", "a"))


def carried(program: Program) -> set[str]:
    """Whose biases are moved, once it is shown that nobody sees it."""
    check(program)
    return without_bias(with_carried_biases(with_sums(program)))


def test_a_sum_of_what_is_summed_later_keeps_its_bias() -> None:
    """b adds what c was one column before, and c adds b: what they come to is no sum of biases."""
    left_of_c = Pointwise("add", (Ref("b", 0, 3),), (Ref("b", 0, 3), Ref("c", 0, 3, 0, -1)))
    ops = FIRST[0], FIRST[1], left_of_c, affine("c", ("a", 0, 0)), add("c", "b"), LOGITS
    assert carried(program(ops)) == set()


def test_a_sum_whose_product_reads_such_a_feature_keeps_its_bias() -> None:
    assert carried(program((*FIRST, affine("c", ("b", 0, 0)), add("c", "a"), LOGITS))) == set()


def test_what_a_head_reads_keeps_its_bias() -> None:
    assert carried(program((*FIRST, affine("c", ("b", 0, 0))), head="b")) == set()


def test_what_a_head_reads_before_others_add_to_it_has_no_other_bias() -> None:
    ops = (*FIRST, affine("logits", ("a", 0, 0)))
    assert carried(program(ops, later=(affine("logits", ("b", 0, 0), accumulate=True),))) == set()


def test_a_feature_that_is_added_to_again_keeps_its_bias() -> None:
    ops = (*FIRST, affine("c", ("b", 0, 0)), affine("b", ("a", 0, 0), accumulate=True), LOGITS)
    assert carried(program(ops)) == set()


def test_operations_that_write_to_the_same_place_have_biases_of_their_own() -> None:
    first, second = affine("logits", ("b", 0, 0)), affine("logits", ("b", 0, 0), ("a", 0, 0))
    assert carried(program((*FIRST, first), later=(second,))) == {"b"}
    part = replace(affine("told", ("b", 0, 0)), out=Ref("told", 0, 2), bias=None)
    part = replace(part, taps=(Tap(Ref("b", 0, 3), "part"),))
    whole = affine("told", ("b", 0, 0))
    assert carried(
        program((*FIRST, whole, part, affine("logits", ("told", 0, 0))), row=(affine("c", (PIXEL, -1, 0)),))
    ) == {"b"}


def test_a_bias_goes_to_an_operation_that_has_nothing_else() -> None:
    bias_alone, more = Affine(Ref("told", 0, 3), (), "told bias"), affine("told", ("b", 0, 0), accumulate=True)
    ops = (*FIRST, bias_alone, more, affine("logits", ("told", 0, 0)))
    assert carried(program(ops, row=(affine("c", (PIXEL, -1, 0)),))) == {"b"}


def test_an_operation_that_stands_twice_is_left_alone() -> None:
    reader = affine("logits", ("b", 0, 0))
    assert carried(program((*FIRST, reader), later=(reader,))) == set()
