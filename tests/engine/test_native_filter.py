"""Minimal filtering (engine/native/src/filter.h) against the oracle: every spacing of taps, every end of a row."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.native.library import BF16_SETS
from models.program import PIXEL, Affine, Feature, Head, Phase, Pointwise, Program, Ref, Tap
from tests.engine.native import assert_same, every_kernel, kernels_here, native_program, run_lane
from tests.engine.native import built as built
from tests.engine.oracle import log_prob_map
from tests.engine.test_conformance import request

WIDTH = 40  # two rows of three taps of it, to twice as many outputs, are the least that is filtered
BF16_WIDTH = 64  # and in bfloat16


def convolution(step: int, rows: tuple[int, ...]) -> Program:
    """A row phase that adds three taps of each of `rows` to what stood there and to a residual, then takes the ReLU."""
    rng = torch.Generator().manual_seed(step)
    shapes = {"code": (WIDTH, 1), "begin": (2 * WIDTH, WIDTH), "logit": (1, 2 * WIDTH)}
    taps = [(dy, dx) for dy in rows for dx in (-step, 0, step)]
    shapes |= {f"tap {dy} {dx}": (2 * WIDTH, WIDTH) for dy, dx in taps}
    vectors = {"top": WIDTH, "left": WIDTH, "right": WIDTH, "bias": 2 * WIDTH}
    parameters = {n: torch.randn(s, generator=rng, dtype=torch.float64) * s[1] ** -0.5 for n, s in shapes.items()}
    parameters |= {n: torch.randn(w, generator=rng, dtype=torch.float64) for n, w in vectors.items()}
    out, residual = Ref("out", 0, 2 * WIDTH), Ref("residual", 0, 2 * WIDTH)
    above = Ref("code", 0, WIDTH, -1, 0)
    row = (
        Affine(out, (Tap(above, "begin"),), "bias"),
        Affine(residual, (Tap(above, "begin"),)),
        Affine(
            out,
            tuple(Tap(Ref("code", 0, WIDTH, dy, dx), f"tap {dy} {dx}") for dy, dx in taps),
            accumulate=True,
        ),
        Pointwise("add", (out,), (out, residual)),
        Pointwise("relu", (out,), (out,)),
    )
    pixel = (Affine(Ref("head", 0, 1), (Tap(out, "logit"),)),)
    code = (Affine(Ref("code", 0, WIDTH), (Tap(Ref(PIXEL, 0, 1), "code"),), "top"),)
    return Program(
        1,
        2,
        (
            Feature(PIXEL, 1),
            Feature("code", WIDTH, "map", 0, "top", "left", "right"),
            Feature("out", 2 * WIDTH),
            Feature("residual", 2 * WIDTH),
            Feature("head", 1),
        ),
        (Phase("row", row), Phase("pixel", pixel, 0), Phase("pixel", code, 1)),
        (Head("bernoulli", (Ref("head", 0, 1),), 0, 1),),
        parameters,
    )


def image(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(width).integers(0, 2, (height, width, 1)).astype(np.uint8)


@pytest.mark.parametrize("width", [1, 2, 5, 7, 8, 53])  # 53: pairs are taken 24 at a time
@pytest.mark.parametrize("step", [1, 2, 4])
@every_kernel
def test_a_filtered_row_gets_the_oracles_log_prob(kernels: str, step: int, width: int) -> None:
    program = convolution(step, (-2, -1))
    wanted = image(3, width)
    expected = log_prob_map(program, wanted).sum()
    native = native_program(program, kernels)
    drawn = run_lane(native, [request("a", wanted, None, None, known_rows=3)], 1)["a"]
    assert drawn.log_prob == pytest.approx(expected, rel=1e-6, abs=2e-5)


@pytest.mark.parametrize("step", [1, 3])
def test_all_kernels_filter_to_the_same_bits(step: int) -> None:
    program = convolution(step, (-2, -1))
    wanted = request("a", image(4, 11), None, None)
    drawn = [run_lane(native_program(program, kernels), [wanted], 1)["a"] for kernels in kernels_here()]
    for other in drawn[1:]:
        assert_same(drawn[0], other)


def chain(step: int, num_maps: int = WIDTH) -> Program:
    """A row phase of three filters: of a given map below, here and above, off the middle; of what that wrote, here and
    above; of that in turn, with a residual from above and beside and a vector added. Every side has numbers."""
    rng = torch.Generator().manual_seed(step)
    parameters: dict[str, torch.Tensor] = {}

    def parameter(*shape: int) -> str:
        name = f"{len(parameters)}"
        scale = shape[-1] ** -0.5 if len(shape) > 1 else 1
        parameters[name] = scale * torch.randn(shape, generator=rng, dtype=torch.float64)
        return name

    def filtered(out: str, source: str, rows: tuple[int, ...], first: int) -> Affine:
        refs = [Ref(source, 0, width[source], dy, first + k * step) for dy in rows for k in range(3)]
        taps = tuple(Tap(ref, parameter(num_maps * 2, ref.width)) for ref in refs)
        return Affine(Ref(out, 0, num_maps * 2), taps, parameter(num_maps * 2))

    width = {"given": num_maps, "a": num_maps * 2, "b": num_maps * 2, "c": num_maps * 2}
    b, c = (Ref(name, 0, num_maps * 2) for name in "bc")
    residual = replace(b, dy=-1, dx=step)
    row = (
        filtered("a", "given", (2, 0, -1), -3),
        filtered("b", "a", (-1, 0), 1 - step),
        Pointwise("relu", (b,), (b,)),
        filtered("c", "b", (0,), -2 * step),
        Pointwise("add", (c,), (c, residual, Ref("vector", 0, num_maps * 2))),
    )
    pixel = Affine(
        Ref("head", 0, 1), (Tap(c, parameter(1, num_maps * 2)), Tap(Ref(PIXEL, 0, 1, -1, 0), parameter(1, 1)))
    )
    sides = {name: [parameter(width[name]) for _ in range(3)] for name in "abc"}
    maps = (Feature(name, width[name], "map", 0, *sides[name]) for name in "abc")
    given = Feature("given", num_maps, "given_map"), Feature("vector", num_maps * 2, "given_vector")
    features = (Feature(PIXEL, 1), *given, *maps, Feature("head", 1))
    heads = (Head("bernoulli", (Ref("head", 0, 1),), 0, 1),)
    return Program(1, 2, features, (Phase("row", row), Phase("pixel", (pixel,))), heads, parameters)


@pytest.mark.parametrize("width", [1, 2, 9])
@pytest.mark.parametrize("step", [1, 2, 5])
@every_kernel
def test_filters_of_filters_read_what_the_oracle_reads_in_any_company(kernels: str, step: int, width: int) -> None:
    native, rng = native_program(chain(step), kernels), np.random.default_rng(step)
    given, vector = rng.normal(size=(3, width, WIDTH)), rng.normal(size=WIDTH * 2)
    wanted = image(3, width)
    fed = run_lane(native, [request("a", wanted, vector, given, known_rows=3)], 1)["a"]
    expected = log_prob_map(native.program, wanted, vector, given).sum()
    assert fed.log_prob == pytest.approx(expected, rel=1e-6, abs=2e-5)
    mine = request("a", wanted, vector, given)
    others = [request(f"o{k}", wanted, -vector, 2 * given, seed=k) for k in range(4)]
    alone = run_lane(native, [mine], 1)["a"]
    assert_same(run_lane(native, [*others[:2], mine, *others[2:]], 3)["a"], alone)


@pytest.mark.parametrize("maps", [BF16_WIDTH, BF16_WIDTH + 1])  # of an odd number the given map is not filtered
@pytest.mark.parametrize("width", [1, 2, 9, 53])
@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("kernels", BF16_SETS)
def test_filters_of_bfloat16_are_near_the_oracle_in_any_company(kernels: str, step: int, width: int, maps: int) -> None:
    native, rng = native_program(chain(step, maps), kernels), np.random.default_rng(step)
    given, vector = rng.normal(size=(3, width, maps)), rng.normal(size=maps * 2)
    wanted = image(3, width)
    fed = run_lane(native, [request("a", wanted, vector, given, known_rows=3)], 1)["a"]
    expected = log_prob_map(native.program, wanted, vector, given)
    np.testing.assert_allclose(fed.log_probs, expected, rtol=0, atol=0.2)  # logits are some ten, and rounded to 0.02
    mine = request("a", wanted, vector, given)
    others = [request(f"o{k}", wanted, -vector, 2 * given, seed=k) for k in range(4)]
    alone = run_lane(native, [mine], 1)["a"]
    assert_same(run_lane(native, [*others[:2], mine, *others[2:]], 3)["a"], alone)


@pytest.mark.parametrize("kernels", [None, "avx512_bf16"])
def test_filters_are_used(kernels: str | None) -> None:
    """A tap more, of weights 0, and there are no triples: the same sums in the same order, but for a filter's rounding.
    Every other test here would pass without filters."""
    program = chain(1, BF16_WIDTH)
    nothing = {"nothing": torch.zeros(2 * BF16_WIDTH, 2 * BF16_WIDTH)}
    row = program.phases[0]
    ops = (
        replace(op, taps=(*op.taps, replace(op.taps[-1], weight="nothing")))
        if isinstance(op, Affine) and op.taps[0].source.feature != "given"  # the given map is not read in bfloat16
        else op
        for op in row.ops
    )
    phases = replace(row, ops=tuple(ops)), *program.phases[1:]
    twin = replace(program, phases=phases, parameters={**program.parameters, **nothing})
    rng, wanted = np.random.default_rng(1), image(3, 9)
    vector, given = rng.normal(size=BF16_WIDTH * 2), rng.normal(size=(3, 9, BF16_WIDTH))
    fed = request("a", wanted, vector, given, known_rows=3)
    filtered, plain = (run_lane(native_program(p, kernels), [fed], 1)["a"].log_probs for p in (program, twin))
    assert (filtered != plain).any()
