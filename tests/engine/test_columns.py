"""What pixel phases find in the same place at every column."""

import numpy as np
import pytest
import torch

from engine.columns import handed_features, pair_features
from engine.engine import Engine
from models.diagonal_bilstm import DiagonalBiLSTM
from models.gated_pixelcnn import GatedPixelCNN
from models.program import PIXEL, Affine, Feature, Head, Phase, Pointwise, Program, Ref, Tap
from models.row_lstm import RowLSTM
from tests import devices
from tests.engine.oracle import log_prob_map
from tests.engine.test_conformance import request, run

WIDTHS = {"given": 3, "filled": 2, "a": 3, "b": 2, "c": 3, "logits": 4}
NUM_LEVELS = 4


def affine(out: str, *taps: tuple[str, int, int], accumulate: bool = False) -> Affine:
    refs = [Ref(name, 0, 1 if name == PIXEL else WIDTHS[name], dy, dx) for name, dy, dx in taps]
    named = tuple(Tap(ref, f"{out} {ref.feature} {ref.dy} {ref.dx}") for ref in refs)
    return Affine(Ref(out, 0, WIDTHS[out]), named, None if accumulate else f"{out} bias", accumulate)


OPS = {
    "row": (affine("given", (PIXEL, -1, 0), (PIXEL, -1, 1)), affine("filled", (PIXEL, -1, -1))),
    "pixel": (
        affine("given", (PIXEL, 0, -1), accumulate=True),
        affine("a", ("given", 0, 0), ("a", 0, -1)),
        affine("b", ("filled", 0, 0), ("a", 0, -1), ("a", 0, 0)),
        affine("c", ("b", 0, -1), ("c", 0, -1), ("b", 0, 0)),
        Pointwise("tanh", (Ref("c", 0, 3),), (Ref("c", 0, 3),)),
        affine("logits", ("c", 0, 0), ("given", 0, 0)),
    ),
}


def program(left: tuple[str, ...] = ("a", "c")) -> Program:
    """`left`: features that something learned is read for, left of the image; for others it is 0."""
    generator = torch.Generator().manual_seed(1)
    parameters = {f"{name} left": torch.randn(WIDTHS[name], generator=generator, dtype=torch.float64) for name in left}
    for op in (op for ops in OPS.values() for op in ops if isinstance(op, Affine)):
        for tap in op.taps:
            shape = op.out.width, tap.source.width
            parameters[tap.weight] = 0.7 * torch.randn(shape, generator=generator, dtype=torch.float64)
        if op.bias:
            parameters[op.bias] = torch.randn(op.out.width, generator=generator, dtype=torch.float64)
    features = (
        Feature(PIXEL, 1),
        *(Feature(name, width, left=f"{name} left" if name in left else None) for name, width in WIDTHS.items()),
    )
    phases = Phase("row", OPS["row"]), Phase("pixel", OPS["pixel"], 0)
    heads = (Head("categorical", (Ref("logits", 0, NUM_LEVELS),), 0, 1),)
    return Program(1, NUM_LEVELS, features, phases, heads, parameters)


def test_which_features_they_are() -> None:
    assert handed_features(program()) == ["given", "filled"] and pair_features(program()) == ["a", "b", "c"]
    gated = GatedPixelCNN(1, 2, 8, [1, 2], head_width=8).eval().program()
    assert handed_features(gated) == ["w0", "w1", "w2"] and pair_features(gated) == ["h0"]  # h1 is read two further
    assert pair_features(RowLSTM(1, 2, 4, 2).eval().program()) == ["x1"]
    assert pair_features(DiagonalBiLSTM(1, 2, 4, 2).eval().program()) == ["c0", "c1"]  # h is read by the next row


@pytest.mark.parametrize("size", [(1, 1), (3, 1), (1, 4), (3, 4)])
@pytest.mark.parametrize("left", [(), ("a", "c"), ("a", "b", "c")])
def test_every_column_sees_its_own_and_the_one_before(left: tuple[str, ...], size: tuple[int, int]) -> None:
    """Several images side by side, one after the other in the same slots."""
    rng = np.random.default_rng(3)
    images = {f"{k}": rng.integers(0, NUM_LEVELS, (*size, 1)).astype(np.uint8) for k in range(7)}
    engine = Engine(program(left), num_slots=4, device=devices.DEVICE, dtype=torch.float64)
    drawn = run(engine, [request(name, image, None, None, size[0]) for name, image in images.items()])
    for name, image in images.items():
        expected = log_prob_map(program(left), image, None, None).sum()
        assert drawn[name].log_prob == pytest.approx(expected, rel=1e-12, abs=1e-9)
