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


def program(ops: tuple[Operation, ...] = PIXEL_OPS, row: tuple[Operation, ...] = ROW) -> Program:
    generator = torch.Generator().manual_seed(2)
    parameters = {"b left": torch.randn(3, generator=generator, dtype=torch.float64)}
    for op in (op for op in (*row, *ops) if isinstance(op, Affine)):
        for tap in op.taps:
            shape = op.out.width, tap.source.width
            parameters[tap.weight] = 0.7 * torch.randn(shape, generator=generator, dtype=torch.float64)
        if op.bias:
            parameters[op.bias] = torch.randn(op.out.width, generator=generator, dtype=torch.float64)
    learned = {"b": "b left"}
    features = Feature(PIXEL, 1), *(Feature(name, width, left=learned.get(name)) for name, width in WIDTHS.items())
    phases = Phase("row", row), Phase("pixel", ops, 0)
    return Program(1, 4, features, phases, (Head("categorical", (Ref("logits", 0, 4),), 0, 1),), parameters)


def without_bias(program: Program) -> set[str]:
    """What residual connections write that add none."""
    ops = [op for phase in program.phases for op in phase.ops]
    return {op.out.feature for op in ops if isinstance(op, Sum) and op.bias is None}


def check(program: Program) -> None:
    image = np.random.default_rng(0).integers(0, program.num_levels, (5, 6, 1)).astype(np.uint8)
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
