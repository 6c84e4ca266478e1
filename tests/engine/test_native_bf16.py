"""bfloat16 kernels: near the float32 ones, and as independent of company."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.engine import Engine
from engine.native.library import BF16_KERNELS, KERNELS_VARIABLE, NativeError, NativeProgram
from engine.request import DrawRequest
from models.bundle import load_bundle
from models.gated_pixelcnn import GatedPixelCNN
from models.program import Program
from tests.engine.native import assert_same, native_program, run_lane
from tests.engine.native import built as built
from tests.engine.random_programs import random_program
from tests.engine.test_conformance import NUM_PROGRAMS, inputs, request

SEEDS = range(NUM_PROGRAMS)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_drawn_image_is_bitwise_the_same_in_company_and_after_a_resume(seed: int) -> None:
    program = random_program(seed)
    image, vector, given_map = inputs(program, seed)
    native = native_program(program, BF16_KERNELS)
    alone = run_lane(native, [request("a", image, vector, given_map)], 1)["a"]
    others = [request(f"o{k}", image, vector, given_map, seed=k) for k in range(9)]
    for num_slots in (2, 3, 5, 8):
        company = [*others[:4], request("a", image, vector, given_map), *others[4:]]
        assert_same(run_lane(native, company, num_slots)["a"], alone)
    resumed = request("a", alone.values, vector, given_map, known_rows=len(image) // 2)
    assert run_lane(native, [*others[:2], resumed], 3)["a"].log_prob == alone.log_prob


@pytest.mark.parametrize("seed", SEEDS)
def test_log_prob_is_near_that_of_float32(seed: int) -> None:
    program = random_program(seed)
    image, vector, given_map = inputs(program, seed)
    fed = request("a", image, vector, given_map, known_rows=len(image))
    rounded, exact = (run_lane(native_program(program, k), [fed], 1)["a"].log_prob for k in (BF16_KERNELS, None))
    assert rounded == pytest.approx(exact, rel=0.1, abs=0.05 * image.size)


def pixelcnn() -> Program:
    torch.manual_seed(0)
    return GatedPixelCNN(1, 2, 40, [2, 1], head_width=24).eval().program()


def test_a_pixelcnn_loses_little_by_rounding() -> None:
    """bfloat16 has 8 bits: relative errors of 2^-9 a product, which mostly cancel in a sum."""
    program = pixelcnn()
    image = np.random.default_rng(0).integers(0, 2, (28, 28, 1)).astype(np.uint8)
    fed = request("a", image, None, None, known_rows=28)
    rounded, exact = (run_lane(native_program(program, k), [fed], 1)["a"].log_prob for k in (BF16_KERNELS, None))
    assert rounded != exact
    assert rounded == pytest.approx(exact, abs=0.5)


def test_a_trained_net_of_256_levels_loses_little_by_rounding() -> None:
    """Levels are coded before anything is rounded: 2 / 255 as bfloat16 would cost 14 nats an image."""
    program = load_bundle(Path(__file__).parents[2] / "checkpoints" / "gated-pixelcnn-mnist").model.program()
    context = np.eye(10, dtype=np.float32)
    drawn = [DrawRequest(str(k), "", 28, 28, 1, k, context=context[k]) for k in range(8)]
    exact = run_lane(native_program(program), drawn, 8)
    mask = np.ones((28, 28), np.bool_)
    fed = [replace(request, known=exact[request.id].values, mask=mask) for request in drawn]
    rounded = run_lane(native_program(program, BF16_KERNELS), fed, 8)
    lost = [exact[request.id].log_prob - rounded[request.id].log_prob for request in drawn]
    assert abs(np.mean(lost)) < 1


def test_the_environment_cannot_turn_float32_into_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KERNELS_VARIABLE, BF16_KERNELS)
    with pytest.raises(NativeError, match="float32 kernels only"):
        Engine(pixelcnn())


def test_it_has_a_profile_of_its_own_and_is_never_chosen_unasked() -> None:
    assert native_program(pixelcnn()).kernels != BF16_KERNELS
    try:
        engine = Engine(pixelcnn(), interpreter="native-bf16")
    except NativeError as error:
        pytest.skip(str(error))
    assert "bfloat16" in engine.profile
    assert engine.profile != NativeProgram(pixelcnn()).profile
