"""Kernels by themselves, pointwise and an MCGSM: accuracy against double precision, the same bits from every set."""

import ctypes

import numpy as np
import pytest
import torch

from engine.native.encode import POINTWISE
from engine.native.library import NativeProgram, NativeSlots, load
from models.heads import mcgsm_log_prob
from tests.engine.native import built as built
from tests.engine.native import every_kernel, kernels_here, runs_here
from tests.engine.test_heads import WHITENING, constant_program
from tests.models.test_heads import mcgsm_parameters, randn

rng = np.random.default_rng(0)
# Every magnitude, both signs, the edges of the exponential and a width that no vector divides.
X = np.concatenate(
    [rng.normal(size=2000) * scale for scale in (1e-6, 1e-2, 1.0, 10.0, 60.0)]
    + [[0.0, -0.0, 87.5, -87.5, 88.5, -88.5, 1e30, -1e30, 9.9, -9.9, 10.1, -10.1, 1e-30]]
).astype(np.float32)

# Inputs in units of the output's width, where that is not one input of one.
FACTORS: dict[str, tuple[float, ...]] = {
    "gate": (2,), "glu": (2,), "lstm": (4, 1), "spatial_lstm": (5, 1, 1), "concat_elu": (0.5,), "add": (1, 1, 1),
    "multiply": (1, 1),
}  # fmt: skip


def apply(kernels: str, kind: str, inputs: list[np.ndarray], num_outs: int, width: int) -> list[np.ndarray]:
    """A pointwise operation on one row."""
    if not runs_here(kernels):
        pytest.skip(f"this processor does not run {kernels}")
    outs = [np.full(width + 3, 7.0, np.float32) for _ in range(num_outs)]
    pointers = [(ctypes.c_void_p * len(rows))(*(row.ctypes.data for row in rows)) for rows in (inputs, outs)]
    load().scanline_pointwise(
        kernels.encode(), POINTWISE.index(kind), width, len(inputs), *(ctypes.addressof(p) for p in pointers)
    )
    assert all((out[width:] == 7).all() for out in outs), "written beyond the end"
    return [out[:width] for out in outs]


def sigmoid(x: np.ndarray) -> np.ndarray:
    with np.errstate(over="ignore"):
        return 1 / (1 + np.exp(-x.astype(np.float64)))


@every_kernel
@pytest.mark.parametrize(
    "kind, exact",
    [
        ("tanh", lambda x: np.tanh(x)),
        ("sigmoid", sigmoid),
        ("elu", lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0)))),
        ("relu", lambda x: np.maximum(x, 0)),
    ],
    ids=["tanh", "sigmoid", "elu", "relu"],
)
def test_a_function_of_one_number_is_right_to_two_units_in_the_last_place(kernels: str, kind: str, exact) -> None:  # type: ignore[no-untyped-def]
    (out,) = apply(kernels, kind, [X], 1, X.size)
    expected = exact(X.astype(np.float64))
    np.testing.assert_allclose(out, expected, rtol=3e-7, atol=1e-37)


@every_kernel
def test_the_gate_is_right_and_saturates(kernels: str) -> None:
    f, g = X, rng.permutation(X)
    (out,) = apply(kernels, "gate", [np.concatenate((f, g))], 1, X.size)
    np.testing.assert_allclose(out, np.tanh(f.astype(np.float64)) * sigmoid(g), rtol=6e-7, atol=1e-30)


@pytest.mark.parametrize("width", [1, 7, 8, 15, 16, 17, 33])
def test_every_set_of_kernels_gives_the_same_bits(width: int) -> None:
    for kind in POINTWISE:
        if kind == "concat_elu" and width % 2:
            continue
        inputs = [(rng.normal(size=int(width * f)) * 3).astype(np.float32) for f in FACTORS.get(kind, (1,))]
        num_outs = 2 if "lstm" in kind else 1
        results = [apply(kernels, kind, inputs, num_outs, width) for kernels in kernels_here()]
        for other in results[1:]:
            for a, b in zip(results[0], other, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=kind)


@pytest.mark.parametrize("kind", POINTWISE)
@every_kernel
def test_what_is_not_a_number_shows_in_the_output(kernels: str, kind: str) -> None:
    """As in torch, whichever input it stands in; a net that overflows must not draw on as if nothing had happened."""
    width, places = 22, [1, 5, 10]
    sizes = [int(width * factor) for factor in FACTORS.get(kind, (1,))]
    for number, size in enumerate(sizes):
        for block in range(0, size, width):
            inputs = [rng.normal(size=n).astype(np.float32) for n in sizes]
            inputs[number][block + np.array(places)] = np.nan
            out = apply(kernels, kind, inputs, 2 if "lstm" in kind else 1, width)[0]
            assert np.isnan(out[places]).all(), f"input {number} from {block} on"


def test_an_mcgsm_is_right_where_its_gates_are_far_apart() -> None:
    """Known pixels from the middle of the density to where every exponential but a few is cut, on an odd number of
    components, against double precision; every set of kernels gives the same bits, and not a number stays none."""
    x = np.concatenate(([0.0, 1.5, np.nan], 10.0 ** np.arange(-3, 6), -(10.0 ** np.arange(-3, 6)))).astype(np.float32)
    parameters = mcgsm_parameters(17, 3, 5, 6)
    h, whitening = randn(6, seed=4), torch.tensor(WHITENING).double()
    program = constant_program("mcgsm", 1, 0, [h.tolist(), list(WHITENING)], tuple(parameters))
    results = []
    for kernels in kernels_here():
        slots = NativeSlots(NativeProgram(program, kernels), 1, x.size, 1)
        slots.admit(0, 1, 0, 1.0, None, None, x.reshape(1, -1, 1), np.ones((1, x.size), np.bool_))
        slots.run(x.size)
        results.append(slots.pixel_log_probs[0, 0, :, 0].copy())
    exact = mcgsm_log_prob(h.expand(x.size, -1), whitening.expand(x.size, -1), torch.from_numpy(x).double(), parameters)
    np.testing.assert_allclose(results[0], exact, rtol=1e-5, atol=1e-4)
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)
