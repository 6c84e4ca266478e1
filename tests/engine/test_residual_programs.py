"""The torch interpreter rewrites residual connections, gates and sums: against the oracle, and in company."""

import functools
import itertools
from collections import Counter

import numpy as np
import pytest
import torch

from engine.carried_biases import with_carried_biases
from engine.engine import Engine
from engine.gate_scales import gate_scales
from engine.last_reads import last_reads
from engine.sums import with_sums
from models.gated_pixelcnn import GatedPixelCNN
from models.program import Pointwise, Program
from tests import devices
from tests.engine.company import check_company
from tests.engine.oracle import log_prob_map
from tests.engine.residual_programs import residual_program
from tests.engine.test_conformance import inputs, request, run

NUM_PROGRAMS = 80


@functools.cache
def computed_program(seed: int) -> Program:
    """The first one that reads nothing before it is computed; a few do, of features that several phases write."""
    return next(p for k in itertools.count() if _is_computed(p := residual_program(seed + k * NUM_PROGRAMS), seed))


def _is_computed(program: Program, seed: int) -> bool:
    return bool(np.isfinite(log_prob_map(program, *inputs(program, seed))).all())


@pytest.mark.parametrize("seed", range(NUM_PROGRAMS))
def test_fed_pixels_get_the_oracles_log_prob(seed: int) -> None:
    program = computed_program(seed)
    image, vector, given = inputs(program, seed)
    expected = log_prob_map(program, image, vector, given).sum()
    engine = Engine(program, 4, devices.DEVICE, torch.float64, interpreter="torch")
    drawn = run(engine, [request("a", image, vector, given, known_rows=image.shape[0])])["a"]
    assert drawn.log_prob == pytest.approx(expected, rel=1e-10, abs=1e-9)


def test_these_programs_are_rewritten() -> None:
    found: Counter[str] = Counter()
    for seed in range(NUM_PROGRAMS):
        program = with_sums(computed_program(seed))
        carried = with_carried_biases(program)
        gates = {
            id(op) for phase in carried.phases for op in phase.ops if isinstance(op, Pointwise) and op.kind == "gate"
        }
        found["carried"] += carried is not program
        found["in place"] += bool(gate_scales(carried)) and bool(gates & last_reads(carried))
    assert min(found["carried"], found["in place"]) > NUM_PROGRAMS // 10, found


@pytest.mark.parametrize("seed", range(0, NUM_PROGRAMS, 4))
def test_a_program_draws_the_same_bytes_whatever_the_number_of_slots_in_use(seed: int) -> None:
    program = computed_program(seed)
    image, vector, given = inputs(program, seed)
    check_company(program, image, vector, given)


@pytest.mark.parametrize("num_classes", [0, 3])
def test_a_net_draws_the_same_bytes_whatever_the_number_of_slots_in_use(num_classes: int) -> None:
    """In a row phase its sums stand side by side where one slot is in use, or all of them."""
    torch.manual_seed(0)
    program = GatedPixelCNN(1, 2, 32, [1, 1], head_width=8, num_classes=num_classes).eval().program()
    vector = np.eye(3, dtype=np.float32)[1] if num_classes else None
    check_company(program, np.zeros((6, 8, 1), np.uint8), vector, None)
