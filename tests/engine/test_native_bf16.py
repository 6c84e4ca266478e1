"""bfloat16 kernels: near the float32 ones, and as independent of company."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.engine import Engine
from engine.native.library import BF16_KERNELS, BF16_SETS, KERNELS_VARIABLE, NativeError, NativeProgram
from engine.request import DrawRequest
from models.bundle import load_bundle
from models.gated_pixelcnn import GatedPixelCNN
from models.program import PIXEL, Affine, Feature, Head, Phase, Pointwise, Program, Ref, Tap
from tests.engine.native import assert_same, native_program, run_lane, runs_here
from tests.engine.native import built as built
from tests.engine.random_programs import random_program
from tests.engine.test_conformance import NUM_PROGRAMS, inputs, request

SEEDS = range(NUM_PROGRAMS)
every_set = pytest.mark.parametrize("kernels", BF16_SETS)


@every_set
@pytest.mark.parametrize("seed", SEEDS)
def test_a_drawn_image_is_bitwise_the_same_in_company_and_after_a_resume(kernels: str, seed: int) -> None:
    program = random_program(seed)
    image, vector, given_map = inputs(program, seed)
    native = native_program(program, kernels)
    alone = run_lane(native, [request("a", image, vector, given_map)], 1)["a"]
    others = [request(f"o{k}", image, vector, given_map, seed=k) for k in range(9)]
    for num_slots in (2, 3, 5, 8):
        company = [*others[:4], request("a", image, vector, given_map), *others[4:]]
        assert_same(run_lane(native, company, num_slots)["a"], alone)
    resumed = request("a", alone.values, vector, given_map, known_rows=len(image) // 2)
    assert run_lane(native, [*others[:2], resumed], 3)["a"].log_prob == alone.log_prob


@every_set
@pytest.mark.parametrize("seed", SEEDS)
def test_log_prob_is_near_that_of_float32(kernels: str, seed: int) -> None:
    program = random_program(seed)
    image, vector, given_map = inputs(program, seed)
    fed = request("a", image, vector, given_map, known_rows=len(image))
    rounded, exact = (run_lane(native_program(program, k), [fed], 1)["a"].log_prob for k in (kernels, None))
    assert rounded == pytest.approx(exact, rel=0.1, abs=0.05 * image.size)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_sets_differ_only_in_the_order_of_sums(seed: int) -> None:
    program = random_program(seed)
    image, vector, given_map = inputs(program, seed)
    fed = request("a", image, vector, given_map, known_rows=len(image))
    one, other = (run_lane(native_program(program, kernels), [fed], 1)["a"].log_prob for kernels in BF16_SETS)
    assert one == pytest.approx(other, rel=1e-3, abs=1e-3 * image.size)


def pixelcnn() -> Program:
    torch.manual_seed(0)
    return GatedPixelCNN(1, 2, 40, [2, 1], head_width=24).eval().program()


@every_set
def test_a_pixelcnn_loses_little_by_rounding(kernels: str) -> None:
    """bfloat16 has 8 bits: relative errors of 2^-9 a product, which mostly cancel in a sum."""
    program = pixelcnn()
    image = np.random.default_rng(0).integers(0, 2, (28, 28, 1)).astype(np.uint8)
    fed = request("a", image, None, None, known_rows=28)
    rounded, exact = (run_lane(native_program(program, k), [fed], 1)["a"].log_prob for k in (kernels, None))
    assert rounded != exact
    assert rounded == pytest.approx(exact, abs=0.5)


@every_set
def test_a_trained_net_of_256_levels_loses_little_by_rounding(kernels: str) -> None:
    """Levels are coded before anything is rounded: 2 / 255 as bfloat16 would cost 14 nats an image."""
    program = load_bundle(Path(__file__).parents[2] / "checkpoints" / "gated-pixelcnn-mnist").model.program()
    context = np.eye(10, dtype=np.float32)
    drawn = [DrawRequest(str(k), "", 28, 28, 1, k, context=context[k]) for k in range(8)]
    exact = run_lane(native_program(program), drawn, 8)
    mask = np.ones((28, 28), np.bool_)
    fed = [replace(request, known=exact[request.id].values, mask=mask) for request in drawn]
    rounded = run_lane(native_program(program, kernels), fed, 8)
    lost = [exact[request.id].log_prob - rounded[request.id].log_prob for request in drawn]
    assert abs(np.mean(lost)) < 1


def with_a_neighbour_of(value: float) -> Program:
    """What is drawn reads 16 numbers; before it 64 that hold `value` are read, for a result that nobody reads."""
    rng = torch.Generator().manual_seed(0)
    parameters = {"code": torch.randn(16, 1, generator=rng), "logit": torch.randn(1, 16, generator=rng)}
    parameters |= {"middle": torch.randn(16, 16, generator=rng), "zeros": torch.zeros(64, 64)}
    parameters |= {"nothing": torch.zeros(64, 16), "value": torch.full((64,), value)}
    pixel = (
        Affine(Ref("large", 0, 64), (Tap(Ref("state", 0, 16, 0, -1), "nothing"),), "value"),
        Affine(Ref("other", 0, 64), (Tap(Ref("large", 0, 64), "zeros"),)),
        Affine(Ref("middle", 0, 16), (Tap(Ref("state", 0, 16, 0, -1), "middle"),)),
        Pointwise("tanh", (Ref("tanh", 0, 16),), (Ref("middle", 0, 16),)),
        Affine(Ref("head", 0, 1), (Tap(Ref("tanh", 0, 16), "logit"),)),
    )
    code = (
        Affine(Ref("code", 0, 16), (Tap(Ref(PIXEL, 0, 1), "code"),)),
        Pointwise("tanh", (Ref("state", 0, 16),), (Ref("code", 0, 16),)),
    )
    widths = {PIXEL: 1, "large": 64, "other": 64, "middle": 16, "tanh": 16, "head": 1, "code": 16, "state": 16}
    return Program(
        1,
        2,
        tuple(Feature(name, width) for name, width in widths.items()),
        (Phase("pixel", pixel, 0), Phase("pixel", code, 1)),
        (Head("bernoulli", (Ref("head", 0, 1),), 0, 1),),
        parameters,
    )


@every_set
def test_what_another_operation_left_in_the_scratch_memory_does_not_matter(kernels: str) -> None:
    """Rows of inputs are filled up to what the units take at a time; not a number times a weight of zero is none."""
    drawn = [
        run_lane(native_program(with_a_neighbour_of(value), kernels), [DrawRequest("a", "", 9, 9, 1, 0)], 1)["a"]
        for value in (1.0, float("inf"), float("nan"))
    ]
    assert np.isfinite(drawn[0].log_prob)
    for other in drawn[1:]:
        assert_same(other, drawn[0])


@every_set
@pytest.mark.parametrize("num_slots", [1, 15, 16, 17, 31, 32, 33, 48])
def test_any_number_of_slots_draws_the_same(kernels: str, num_slots: int) -> None:
    """The units take 16 rows at a time, and two times as many."""
    native = native_program(pixelcnn(), kernels)
    requests = [DrawRequest(str(k), "", 3, 5, 1, k) for k in range(num_slots)]
    together = run_lane(native, requests, num_slots)
    for k in {0, num_slots // 2, num_slots - 1}:
        assert_same(together[str(k)], run_lane(native, [requests[k]], 1)[str(k)])


@pytest.mark.parametrize("kernels", [BF16_KERNELS, *BF16_SETS])
def test_the_environment_cannot_turn_float32_into_it(kernels: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KERNELS_VARIABLE, kernels)
    with pytest.raises(NativeError, match="float32 kernels only"):
        Engine(pixelcnn())


def test_each_set_has_a_profile_of_its_own_and_none_is_chosen_unasked() -> None:
    plain = native_program(pixelcnn())
    assert plain.kernels not in BF16_SETS
    profiles = {plain.profile}
    for kernels in BF16_SETS:
        try:
            profiles.add(NativeProgram(pixelcnn(), kernels).profile)
        except NativeError as error:
            assert "none of the kernels that this processor runs" in str(error)
    if len(profiles) == 1:
        pytest.skip("this processor has no bfloat16 units")
    assert len(profiles) == 1 + sum(runs_here(kernels) for kernels in BF16_SETS)
    fastest = next(kernels for kernels in BF16_SETS if runs_here(kernels))
    assert Engine(pixelcnn(), interpreter="native-bf16").profile == NativeProgram(pixelcnn(), fastest).profile
