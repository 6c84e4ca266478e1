"""The native interpreter against the oracle, and against itself: whatever the kernels, the company and the slot."""

import logging
import threading
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.engine import Engine
from engine.native import build
from engine.native.library import BF16_SETS, NativeError, NativeProgram, NotBuilt, load
from engine.native_lane import NativeLane
from engine.request import Drawn, DrawRequest, RowDrawn
from models.gated_pixelcnn import GatedPixelCNN
from models.program import Program
from tests.engine.native import KERNELS, assert_same, every_kernel, kernels_here, native_program, run_lane
from tests.engine.native import built as built
from tests.engine.native import short_steps as short_steps
from tests.engine.oracle import log_prob_map
from tests.engine.random_programs import random_program
from tests.engine.test_conformance import NUM_PROGRAMS, inputs, request
from tests.models.tiny import TINY, told_of

SEEDS = range(NUM_PROGRAMS)
# Of a sum of up to 90 log-probabilities, some of products of products; torch in float32 errs as much.
TOLERANCE = {"rel": 1e-6, "abs": 2e-5}


def pixelcnn() -> Program:
    """Two layers as the shipped models have them, wider than one panel of weights."""
    torch.manual_seed(0)
    return GatedPixelCNN(1, 2, 40, [2], num_classes=3, head_width=24).eval().program()


def sample(name: str) -> DrawRequest:
    """The image of a whole number."""
    seed = int(name)
    return DrawRequest(name, name, 6, 7, seed, 1, context=np.eye(3, dtype=np.float32)[seed % 3])


def resumed(wanted: DrawRequest, rows: list[RowDrawn]) -> DrawRequest:
    """The same request, with finished rows to feed."""
    known, mask = np.zeros((wanted.height, wanted.width, 1), np.uint8), np.zeros((wanted.height, wanted.width), bool)
    for output in rows:
        known[output.row], mask[output.row] = output.values, True
    return replace(wanted, known=known, mask=mask)


@pytest.mark.parametrize("seed", SEEDS)
@every_kernel
def test_fed_pixels_get_the_oracles_log_prob(seed: int, kernels: str) -> None:
    program = random_program(seed)
    image, vector, given_map = inputs(program, seed)
    expected = log_prob_map(program, image, vector, given_map)
    native = native_program(program, kernels)
    drawn = run_lane(native, [request("a", image, vector, given_map, known_rows=len(image))], 2)["a"]
    assert drawn.log_prob == pytest.approx(expected.sum(), **TOLERANCE)
    assert drawn.drawn_log_prob == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_all_kernels_draw_the_same_bits(seed: int) -> None:
    program = random_program(seed)
    image, vector, given_map = inputs(program, seed)
    wanted = request("a", image, vector, given_map)
    drawn = [run_lane(native_program(program, kernels), [wanted], 1)["a"] for kernels in kernels_here()]
    for other in drawn[1:]:
        assert_same(drawn[0], other)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_drawn_image_is_bitwise_the_same_in_company_and_after_a_resume(seed: int) -> None:
    program = random_program(seed)
    image, vector, given_map = inputs(program, seed)
    native = native_program(program)
    alone = run_lane(native, [request("a", image, vector, given_map)], 1)["a"]
    others = [request(f"o{k}", image, vector, given_map, seed=k) for k in range(9)]
    mine = request("a", image, vector, given_map)
    for num_slots in (2, 3, 5, 8):
        assert_same(run_lane(native, [*others[:4], mine, *others[4:]], num_slots)["a"], alone)
    resumed = request("a", alone.values, vector, given_map, known_rows=len(image) // 2)
    again = run_lane(native, [*others[:2], resumed], 3)["a"]
    np.testing.assert_array_equal(again.values, alone.values)
    assert again.log_prob == alone.log_prob


@pytest.mark.parametrize("seed", SEEDS)
def test_the_images_are_those_of_the_torch_interpreter(seed: int) -> None:
    """The random numbers are the same and the probabilities nearly: one draw in a million may fall between them."""
    program = random_program(seed)
    image, vector, given_map = inputs(program, seed)
    for temperature in (1.0,) if program.is_density else (1.0, 0.6):
        wanted = replace(request("a", image, vector, given_map), temperature=temperature)
        drawn = run_lane(native_program(program), [wanted], 1)["a"]
        engine = Engine(program, num_slots=4, interpreter="torch")
        engine.add(wanted)
        reference = [output for _ in range(image.size + 8) for output in engine.step() if isinstance(output, Drawn)]
        # Of levels every one; what a density has drawn feeds back, and errors grow.
        np.testing.assert_allclose(drawn.values, reference[0].values, rtol=1e-3 if program.is_density else 0)
        assert drawn.log_prob == pytest.approx(reference[0].log_prob, rel=1e-3)


@pytest.mark.usefixtures("short_steps")
@pytest.mark.parametrize("kernels", [*KERNELS, *BF16_SETS])
@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), num_slots=st.integers(1, 9))
def test_a_result_does_not_depend_on_who_comes_and_goes_when(kernels: str, seed: int, num_slots: int) -> None:
    """Random arrivals, and images that are stopped and go on from their finished rows."""
    rng, native = Random(seed), native_program(pixelcnn(), kernels)
    lane = NativeLane(native, 6, 7, num_slots)
    names = [str(seed) for seed in range(12)]
    to_come = [sample(name) for name in rng.sample(names, len(names))]
    waiting, drawn = list[DrawRequest](), dict[str, Drawn]()
    rows: dict[str, list[RowDrawn]] = {name: [] for name in names}
    while to_come or waiting or lane.busy:
        for _ in range(min(len(to_come), rng.randint(0, 3))):
            waiting.append(to_come.pop())
        name = rng.choice(names)
        if lane.cancel(name):
            waiting.append(resumed(sample(name), rows[name]))
        for output in lane.step(lambda: waiting.pop(0) if waiting else None):
            if isinstance(output, Drawn):
                drawn[output.id] = output
            else:
                rows[output.id].append(output)
    alone = native if kernels in BF16_SETS else NativeProgram(pixelcnn())
    for name in names:
        expected = run_lane(alone, [sample(name)], 1)[name]
        np.testing.assert_array_equal(drawn[name].values, expected.values)
        assert drawn[name].log_prob == expected.log_prob


def test_every_row_comes_once_and_in_order() -> None:
    lane = NativeLane(native_program(pixelcnn()), 6, 7, 2)
    waiting = [sample("1"), sample("2")]
    rows: dict[str, list[int]] = {"1": [], "2": []}
    while waiting or lane.busy:
        for output in lane.step(lambda: waiting.pop(0) if waiting else None):
            if isinstance(output, RowDrawn):
                rows[output.id].append(output.row)
    assert rows == {"1": list(range(6)), "2": list(range(6))}


def test_lanes_of_one_program_run_in_threads_side_by_side() -> None:
    native = native_program(pixelcnn())
    names = [str(seed) for seed in range(6)]
    expected = run_lane(native, [sample(name) for name in names], 3)
    results: list[dict[str, Drawn]] = []
    threads = [
        threading.Thread(target=lambda: results.append(run_lane(native, [sample(name) for name in names], 3)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for result in results:
        for name in names:
            assert_same(result[name], expected[name])


@pytest.mark.parametrize("tiny", TINY.values(), ids=TINY.keys())
def test_the_native_program_equals_log_prob(tiny: object) -> None:
    model = tiny.model()  # type: ignore[attr-defined]
    context = tiny.context(model, 1, 5, 7)  # type: ignore[attr-defined]
    levels = torch.randint(0, model.num_levels, (1, model.channels, 5, 7), dtype=torch.uint8)
    with torch.no_grad():
        expected = float(model.log_prob(levels, context))
    image, vector = levels[0].permute(1, 2, 0).numpy(), told_of(None if context is None else context[0])
    fed = DrawRequest("a", "a", 5, 7, 0, 0, known=image, mask=np.ones((5, 7), bool), **vector)
    assert run_lane(native_program(model.program()), [fed], 1)["a"].log_prob == pytest.approx(expected, abs=1e-4)


def test_an_engine_takes_torch_where_nothing_is_built_and_says_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(build, "BUILD", tmp_path)
    load.cache_clear()
    with caplog.at_level(logging.WARNING):
        assert Engine(pixelcnn(), num_slots=4, interpreter="auto").profile.startswith("torch")
    assert "python -m engine.native.build" in caplog.text
    with pytest.raises(NotBuilt):
        Engine(pixelcnn(), num_slots=4, interpreter="native")
    load.cache_clear()


def test_the_profile_tells_the_interpreters_apart() -> None:
    profiles = [Engine(pixelcnn(), num_slots=4, interpreter=interpreter).profile for interpreter in ("auto", "torch")]
    assert profiles[0].startswith("native") and profiles[1].startswith("torch")


def test_kernels_that_do_not_exist_are_refused() -> None:
    with pytest.raises(NativeError, match=f"'abacus' is none of .*: {', '.join(kernels_here())}"):
        NativeProgram(pixelcnn(), "abacus")
