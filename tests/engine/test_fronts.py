"""Pixels of a front drawn together against the same pixels drawn one by one: the same bytes, whatever happens when."""

from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.ride import pixel_by_pixel
from engine.engine import Engine, Interpreter
from engine.native.library import BF16_SETS
from engine.native_lane import NativeLane
from engine.request import Drawn, DrawRequest, RowDrawn
from models.fronts import front_slope
from models.gated_pixelcnn import GatedPixelCNN
from models.mcgsm import MCGSM
from models.program import PIXEL, Affine, Feature, Head, Phase, Program, Ref, Tap
from models.ride import RIDE
from tests.engine.native import assert_same, every_kernel, native_program, run_lane
from tests.engine.native import built as built
from tests.engine.native import short_steps as short_steps
from tests.engine.oracle import log_prob_map
from tests.engine.random_programs import random_front_program
from tests.engine.test_conformance import inputs, request, run

SEEDS = range(24)
# Slopes are 3 and 5: narrower, as wide, wider, a row, a column, a pixel.
SIZES = [(1, 1), (1, 40), (40, 1), (6, 2), (9, 3), (7, 5), (9, 31), (30, 8), (16, 17)]
INTERPRETERS: list[Interpreter] = ["torch", "native"]


def ride() -> Program:
    torch.manual_seed(0)
    return RIDE(24, num_layers=2, num_components=18, num_features=7).eval().program()


def mcgsm() -> Program:
    torch.manual_seed(0)
    return MCGSM(9, num_components=5, num_scales=3, num_features=6).eval().program()


MODELS = {"ride": ride, "mcgsm": mcgsm}


def sample(height: int, width: int, k: int = 0) -> DrawRequest:
    return DrawRequest(f"{height}x{width} {k}", "", height, width, 7, k)


def masked(wanted: DrawRequest, seed: int = 1) -> DrawRequest:
    """Half of the pixels known, anywhere."""
    rng = np.random.default_rng(seed)
    shape = (wanted.height, wanted.width)
    return replace(wanted, known=rng.normal(size=(*shape, 1)).astype(np.float32), mask=rng.random(shape) < 0.5)


def drawn(program: Program, wanted: list[DrawRequest], interpreter: Interpreter, num_slots: int = 4) -> list[Drawn]:
    images = run(Engine(program, num_slots, interpreter=interpreter), wanted)
    return [images[request.id] for request in wanted]


def tapped(*offsets: tuple[int, int]) -> Program:
    """A program whose only reads of pixels are at `offsets`."""
    taps = tuple(Tap(Ref(PIXEL, 0, 1, dy, dx), "w") for dy, dx in offsets)
    head = Head("bernoulli", (Ref("logit", 0, 1),), 0, 1)
    features = (Feature(PIXEL, 1), Feature("logit", 1))
    return Program(
        1, 2, features, (Phase("pixel", (Affine(Ref("logit", 0, 1), taps),)),), (head,), {"w": torch.ones(1, 1)}
    )


@pytest.mark.parametrize(
    ("offsets", "slope"),
    [
        ([], 1),
        ([(0, -1)], 1),
        ([(-1, 0)], 1),
        ([(-1, 1)], 2),
        ([(-1, -3)], 1),
        ([(-1, 2), (-2, 2)], 3),
        ([(-2, 5)], 3),
        ([(-3, 1)], 1),
    ],
)
def test_the_slope_is_the_least_that_the_taps_allow(offsets: list[tuple[int, int]], slope: int) -> None:
    assert front_slope(tapped(*offsets)) == slope


def test_models_have_the_slope_of_their_neighbourhood_and_row_phases_have_none() -> None:
    assert (front_slope(ride()), front_slope(mcgsm())) == (3, 5)
    assert front_slope(GatedPixelCNN(1, 2, 8, []).eval().program()) is None
    assert front_slope(pixel_by_pixel(ride())) is None


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_random_programs_are_drawn_to_the_same_bytes(seed: int, interpreter: Interpreter) -> None:
    program = random_front_program(seed)
    image, vector, given_map = inputs(program, seed)
    wanted = [request("a", image, vector, given_map), request("b", image, vector, given_map, len(image) // 2)]
    for fronts, pixels in zip(
        drawn(program, wanted, interpreter), drawn(pixel_by_pixel(program), wanted, interpreter), strict=True
    ):
        assert_same(fronts, pixels)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_fed_pixels_get_the_oracles_log_prob(seed: int, interpreter: Interpreter) -> None:
    program = random_front_program(seed)
    image, vector, given_map = inputs(program, seed)
    fed = request("a", image, vector, given_map, known_rows=len(image))
    expected = log_prob_map(program, image, vector, given_map).sum()
    assert drawn(program, [fed], interpreter)[0].log_prob == pytest.approx(expected, rel=1e-6, abs=2e-5)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_images_of_any_size_are_the_same_bytes(name: str, interpreter: Interpreter) -> None:
    program = MODELS[name]()
    wanted = [r for size in SIZES for r in (sample(*size), masked(sample(*size, 1)))]
    for fronts, pixels in zip(
        drawn(program, wanted, interpreter), drawn(pixel_by_pixel(program), wanted, interpreter), strict=True
    ):
        assert_same(fronts, pixels)


@every_kernel
@pytest.mark.parametrize("size", [(7, 300), (300, 7)])
def test_long_images_are_the_same_bytes_with_all_kernels(kernels: str, size: tuple[int, int]) -> None:
    wanted = masked(sample(*size))
    pixels = run_lane(native_program(pixel_by_pixel(ride())), [wanted], 1)[wanted.id]
    assert_same(run_lane(native_program(ride(), kernels), [wanted], 1)[wanted.id], pixels)


@pytest.mark.parametrize("kernels", BF16_SETS)
def test_bfloat16_draws_the_same_bytes_a_front_at_a_time(kernels: str) -> None:
    wanted = masked(sample(9, 31))
    pixels, fronts = (
        run_lane(native_program(program, kernels), [wanted], 2)[wanted.id]
        for program in (pixel_by_pixel(ride()), ride())
    )
    assert_same(fronts, pixels)


@pytest.mark.parametrize("interpreter", INTERPRETERS)
def test_rows_come_in_order_and_the_first_long_before_the_last(interpreter: Interpreter) -> None:
    engine = Engine(ride(), 4, interpreter=interpreter)
    engine.add(sample(60, 20))
    rows: list[int] = []
    steps: list[int] = []
    while engine.busy:
        new = [output.row for output in engine.step() if isinstance(output, RowDrawn)]
        rows += new
        steps.append(len(new))
    assert rows == list(range(60))
    assert sum(count > 0 for count in steps) > 2 and steps[-1] < 60


@pytest.mark.usefixtures("short_steps")
@pytest.mark.parametrize("interpreter", INTERPRETERS)
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_result_does_not_depend_on_who_comes_and_goes_when(interpreter: Interpreter, seed: int) -> None:
    """Random arrivals, and images that are stopped and go on from their finished rows."""
    rng, program = Random(seed), ride()
    requests = {r.id: masked(r, k) if k % 2 else r for k in range(6) for r in [sample(8, 11, k)]}
    engine = Engine(program, 4, interpreter=interpreter)
    to_come, images = rng.sample(sorted(requests), len(requests)), dict[str, Drawn]()
    rows: dict[str, list[RowDrawn]] = {name: [] for name in requests}
    stopped: str | None = None
    while to_come or stopped or engine.busy:
        if to_come and rng.random() < 0.5:
            engine.add(requests[to_come.pop()])
        name = rng.choice(sorted(requests))
        if stopped:
            engine.add(resumed(requests[stopped], rows[stopped]))
            stopped = None
        elif name not in to_come and name not in images and rng.random() < 0.2:
            engine.cancel(name)
            stopped = name
        for output in engine.step():
            if isinstance(output, Drawn):
                images[output.id] = output
            else:
                rows[output.id].append(output)
    for name, alone in zip(requests, drawn(program, list(requests.values()), interpreter), strict=True):
        np.testing.assert_array_equal(images[name].values, alone.values)
        assert images[name].log_prob == alone.log_prob


def resumed(wanted: DrawRequest, rows: list[RowDrawn]) -> DrawRequest:
    """The same request, with finished rows to feed."""
    known = np.zeros((wanted.height, wanted.width, 1), np.float32) if wanted.known is None else wanted.known.copy()
    mask = np.zeros((wanted.height, wanted.width), bool) if wanted.mask is None else wanted.mask.copy()
    for output in rows:
        known[output.row], mask[output.row] = output.values, True
    return replace(wanted, known=known, mask=mask)


def test_slots_stand_at_fronts_of_their_own() -> None:
    native = native_program(ride())
    late = [sample(12, 9, k) for k in range(3)]
    waiting, images, lane = [late[0]], dict[str, Drawn](), NativeLane(native, 12, 9, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.native_lane.MAX_FRONTS_A_STEP", 7)
        while waiting or lane.busy or len(images) < 3:
            outputs = lane.step(lambda: waiting.pop(0) if waiting else None)
            images |= {output.id: output for output in outputs if isinstance(output, Drawn)}
            if len(late) > 1:
                waiting.append(late.pop())
    for k in range(3):
        assert_same(images[sample(12, 9, k).id], run_lane(native, [sample(12, 9, k)], 1)[sample(12, 9, k).id])
