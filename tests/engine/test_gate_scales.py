"""Gates of features that are kept scaled: what is scaled, and that nobody sees it."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.engine import Engine
from engine.gate_scales import gate_scales
from engine.sums import with_sums
from models.gated_pixelcnn import GatedPixelCNN
from models.program import Feature, Phase, Pointwise, Program, Ref
from tests import devices
from tests.engine.company import check_company
from tests.engine.oracle import log_prob_map
from tests.engine.test_conformance import request, run

WIDTH = 32
HALVES = [-2.0] * WIDTH + [1.0] * WIDTH


def program(width: int = WIDTH, channels: int = 1, num_classes: int = 0) -> Program:
    torch.manual_seed(0)
    model = GatedPixelCNN(channels, 2, width, [1, 1], head_width=6, num_classes=num_classes).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    return model.program()


@pytest.mark.parametrize("num_classes", [0, 3])
def test_what_gates_read_and_what_is_added_to_it_is_scaled(num_classes: int) -> None:
    scales = gate_scales(with_sums(program(num_classes=num_classes)))
    vectors = {"cu0", "cu1", "cw0", "cw1", "cw2"} if num_classes else set()
    assert scales.keys() == {"u0", "u1", "w0", "w1", "w2"} | vectors
    assert all(scale.tolist() == HALVES for scale in scales.values())


def test_nothing_is_scaled_where_a_gate_leaves_a_vector_half_empty() -> None:
    assert gate_scales(program(width=16)) == {} == gate_scales(program(width=3 * WIDTH // 2, channels=3))


def test_nothing_is_scaled_that_another_function_reads() -> None:
    plain = program()
    tanh = Phase("pixel", (Pointwise("tanh", (Ref("other", 0, 2 * WIDTH),), (Ref("w1", 0, 2 * WIDTH),)),), 1)
    phases = tuple(replace(tanh, ops=(*phase.ops, *tanh.ops)) if phase.group == 1 else phase for phase in plain.phases)
    assert gate_scales(replace(plain, features=(*plain.features, Feature("other", 2 * WIDTH)), phases=phases)) == {}


@pytest.mark.parametrize(("channels", "num_classes"), [(1, 0), (1, 3), (3, 0)])
def test_fed_pixels_get_the_oracles_log_prob(channels: int, num_classes: int) -> None:
    scaled = program(channels * WIDTH, channels, num_classes)
    assert gate_scales(with_sums(scaled))
    rng = np.random.default_rng(0)
    image = rng.integers(0, 2, (5, 6, channels)).astype(np.uint8)
    vector = rng.normal(size=num_classes).astype(np.float32) if num_classes else None
    engine = Engine(scaled, 4, devices.DEVICE, torch.float64, interpreter="torch")
    drawn = run(engine, [request("a", image, vector, None, known_rows=5)])["a"]
    assert drawn.log_prob == pytest.approx(log_prob_map(scaled, image, vector, None).sum(), rel=1e-12)


def test_an_image_is_the_same_bytes_in_company() -> None:
    check_company(program(), np.zeros((5, 7, 1), np.uint8), None, None)
