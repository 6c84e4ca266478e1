"""Products by oneDNN: the bits of a row depend on no other row, and which way is taken depends on no other image."""

import numpy as np
import pytest
import torch

from engine.engine import Engine
from engine.torch_interpreter import TorchInterpreter
from engine.wide_products import HAS_ONEDNN, MIN_PRODUCTS, pack_wide, pays, wide_product
from models.gated_pixelcnn import GatedPixelCNN
from models.program import Program
from tests import devices
from tests.engine.company import check_company
from tests.engine.oracle import log_prob_map
from tests.engine.test_conformance import request, run

needs_onednn = pytest.mark.skipif(not HAS_ONEDNN, reason="this torch has no oneDNN")
WIDTH, IMAGE_WIDTH = 64, 40  # 384 x 128 weights in 40 columns


@pytest.fixture(scope="module")
def program() -> Program:
    torch.manual_seed(0)
    return GatedPixelCNN(1, 2, WIDTH, [1, 1], head_width=8).eval().program()


@needs_onednn
@pytest.mark.parametrize("shape", [(384, 128), (448, 128), (576, 96), (200, 100), (1024, 320)])
def test_a_row_has_the_same_bits_among_any_number_of_rows(shape: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(shape, generator=generator), torch.randn(shape[1], generator=generator)
    x, packed = torch.randn(1800, shape[0], generator=generator), pack_wide(weight)
    with torch.inference_mode():
        whole = wide_product(x, packed, bias)()
        torch.testing.assert_close(whole, torch.addmm(bias, x, weight), rtol=1e-4, atol=1e-4)
        for num_rows in (1, 4, 10, 28, 40, 63, 112, 280, 448, 1000):
            for start in (0, 37):
                part = wide_product(x[start : start + num_rows], packed, bias)()
                assert torch.equal(part, whole[start : start + num_rows])


def test_what_pays_is_asked_of_one_image() -> None:
    weight = torch.zeros(384, 128)
    is_fast = HAS_ONEDNN and torch.backends.cpu.get_cpu_capability() == "AVX512"
    assert pays(-(-MIN_PRODUCTS // weight.numel()), weight) == is_fast
    assert not pays(MIN_PRODUCTS // weight.numel(), weight)
    assert not pays(1000, weight.double())


def test_the_net_of_these_tests_is_wide_enough(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    if not pays(IMAGE_WIDTH, torch.zeros(384, 128)):
        pytest.skip("products by oneDNN do not pay on this processor")
    packed: list[torch.Size] = []
    monkeypatch.setattr("engine.packed_weights.pack_wide", lambda w: packed.append(w.shape) or pack_wide(w))
    interpreter = TorchInterpreter(program, 3, IMAGE_WIDTH, 4)
    interpreter.begin_row([0] * 4, 4)
    assert packed


def test_fed_pixels_get_the_oracles_log_prob(program: Program) -> None:
    image = np.random.default_rng(0).integers(0, 2, (4, IMAGE_WIDTH, 1)).astype(np.uint8)
    engine = Engine(program, 4, devices.DEVICE, interpreter="torch")
    drawn = run(engine, [request("a", image, None, None, known_rows=4)])["a"]
    assert drawn.log_prob == pytest.approx(log_prob_map(program, image, None, None).sum(), rel=1e-5)


def test_an_image_is_the_same_bytes_in_company(program: Program) -> None:
    check_company(program, np.zeros((4, IMAGE_WIDTH, 1), np.uint8), None, None)
