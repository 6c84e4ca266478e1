"""Every interpreter against the oracle, over random programs that use the whole vocabulary."""

from collections import Counter

import numpy as np
import pytest
import torch

from engine.engine import Engine
from engine.request import Drawn, DrawRequest
from models.program import Affine, Pointwise, Program
from tests import devices
from tests.engine.oracle import log_prob_map
from tests.engine.random_programs import KINDS, random_program

NUM_PROGRAMS = 60
SIZES = [(1, 1), (1, 5), (4, 1), (5, 6), (7, 4)]


def inputs(program: Program, seed: int) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | None]:
    rng = np.random.default_rng(seed)
    height, width = SIZES[seed % len(SIZES)]
    shape = (height, width, program.channels)
    levels = rng.integers(0, program.num_levels or 2, shape).astype(np.uint8)
    image = rng.normal(size=shape).astype(np.float32) if program.is_density else levels
    given = {f.scope: f for f in program.features if f.is_given}
    vector = given_map = None
    if f := given.get("given_vector"):
        vector = rng.normal(size=f.width).astype(np.float32)
    if f := given.get("given_map"):
        given_map = rng.normal(size=(-(-height >> f.level), -(-width >> f.level), f.width)).astype(np.float32)
    return image, vector, given_map


def run(engine: Engine, requests: list[DrawRequest]) -> dict[str, Drawn]:
    for request in requests:
        engine.add(request)
    drawn = {}
    while engine.busy:
        drawn |= {o.id: o for o in engine.step() if isinstance(o, Drawn)}
    return drawn


def request(
    name: str,
    image: np.ndarray,
    vector: np.ndarray | None,
    given: np.ndarray | None,
    known_rows: int = 0,
    seed: int = 7,
) -> DrawRequest:
    height, width = image.shape[:2]
    mask = np.zeros((height, width), bool)
    mask[:known_rows] = True
    return DrawRequest(name, name, height, width, seed, 3, 1.0, vector, image, mask, given)


@pytest.mark.parametrize("seed", range(NUM_PROGRAMS))
def test_fed_pixels_get_the_oracles_log_prob(seed: int) -> None:
    program = random_program(seed)
    image, vector, given = inputs(program, seed)
    expected = log_prob_map(program, image, vector, given)
    assert np.isfinite(expected).all(), "the oracle read something before it was computed"
    engine = Engine(program, num_slots=4, device=devices.DEVICE, dtype=torch.float64)
    drawn = run(engine, [request("a", image, vector, given, known_rows=image.shape[0])])
    assert drawn["a"].log_prob == pytest.approx(expected.sum(), rel=1e-12, abs=1e-9)
    np.testing.assert_array_equal(drawn["a"].values, image)
    assert drawn["a"].values.dtype == image.dtype
    assert drawn["a"].drawn_log_prob == 0


@pytest.mark.parametrize("seed", range(0, NUM_PROGRAMS, 3))
def test_a_later_pixel_never_moves_an_earlier_one(seed: int) -> None:
    program = random_program(seed)
    image, vector, given = inputs(program, seed)
    base = log_prob_map(program, image, vector, given).ravel()
    for position in range(0, image.size, 1 + image.size // 24):
        changed = image.copy()
        changed.ravel()[position] += 1
        if not program.is_density:
            changed %= program.num_levels
        moved = log_prob_map(program, changed, vector, given).ravel()
        np.testing.assert_array_equal(moved[:position], base[:position])


@pytest.mark.parametrize("seed", range(NUM_PROGRAMS))
def test_a_drawn_image_is_bitwise_the_same_in_company_and_after_a_resume(seed: int) -> None:
    program = random_program(seed)
    image, vector, given = inputs(program, seed)

    def engine(num_slots: int = 4) -> Engine:
        return Engine(program, num_slots, devices.DEVICE, interpreter="torch")

    alone = run(engine(), [request("a", image, vector, given)])["a"]
    others = [request(f"o{k}", image, vector, given, seed=k) for k in range(6)]
    company = run(engine(), [*others, request("a", image, vector, given)])["a"]
    same = [alone, company]
    if devices.DEVICE == "cpu":  # elsewhere the number of slots belongs to the numeric profile
        same.append(run(engine(8), [*others, request("a", image, vector, given)])["a"])
    known_rows = image.shape[0] // 2
    same.append(run(engine(), [request("a", alone.values, vector, given, known_rows)])["a"])
    for other in same:
        np.testing.assert_array_equal(other.values, alone.values)
        assert other.log_prob == alone.log_prob


def test_the_random_programs_use_the_whole_vocabulary() -> None:
    seen: Counter[str] = Counter()
    for seed in range(NUM_PROGRAMS):
        program = random_program(seed)
        features = {f.name: f for f in program.features}
        seen.update(f"level {f.level}" for f in program.features)
        seen.update(side for f in program.features for side in ("top", "left", "right") if getattr(f, side))
        for phase in program.phases:
            for op in phase.ops:
                seen[f"{phase.kind} {type(op).__name__}"] += 1
                refs = [tap.source for tap in op.taps] if isinstance(op, Affine) else list(op.ins)
                seen.update(f"reads {features[ref.feature].scope}" for ref in refs)
                seen.update("reads below" for ref in refs if ref.dy > 0)
                given = [features[ref.feature] for ref in refs if features[ref.feature].is_given]
                seen.update(f"reads given level {f.level}" for f in given)
                if isinstance(op, Pointwise):
                    seen[op.kind] += 1
                elif op.accumulate:
                    seen[f"accumulate in {phase.kind}"] += 1
                if isinstance(op, Affine) and any(tap.up > 1 for tap in op.taps):
                    seen["up"] += 1
        seen.update(head.kind for head in program.heads)
        seen["joint head"] += any(head.stop - head.start == 3 for head in program.heads)
    wanted = [*KINDS, "up", "top", "left", "right", "level 1", "level 2", "reads given_map", "reads given_vector"]
    wanted += ["reads below", "reads given level 1", "reads given level 2"]
    wanted += [
        "bernoulli",
        "categorical",
        "logistic_mixture",
        "mcgsm",
        "joint head",
        "accumulate in row",
        "accumulate in pixel",
    ]
    wanted += [f"{p} {o}" for p in ("admit", "row", "row_reverse", "pixel") for o in ("Affine", "Pointwise")]
    assert {name for name in wanted if seen[name] < 3} == set()
