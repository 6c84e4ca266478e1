"""RIDE and the MCGSM against the papers' formulas in numpy, one number at a time, on random parameters."""

import math

import numpy as np
import pytest
import torch

from engine.engine import Engine, Interpreter
from engine.request import Drawn, DrawRequest
from models.mcgsm import MCGSM
from models.ride import RIDE
from models.spatial_lstm import SpatialLSTM
from tests.models.test_spatial_lstm import by_pixel
from tests.models.tiny import DENSITIES


def neighbours(model: MCGSM | RIDE, image: np.ndarray) -> np.ndarray:
    """[row, col, D]: the pixels around, less the mean; 0 outside."""
    half, (rows, cols) = model.neighbourhood // 2, image.shape
    mean = model.whitening.mean.item()

    def pixel(r: int, c: int) -> float:
        return image[r, c] - mean if 0 <= r < rows and 0 <= c < cols else 0.0

    def around(r: int, c: int) -> list[float]:
        above = [pixel(r + dy, c + dx) for dy in range(-half, 0) for dx in range(-half, half + 1)]
        return above + [pixel(r, c + dx) for dx in range(-half, 0)]

    return np.array([[around(r, c) for c in range(cols)] for r in range(rows)])


def mcgsm(model: MCGSM | RIDE, h: np.ndarray, y: float) -> float:
    """p(y | h): a sum over components and scales."""
    eta, alpha, beta, b, w, a, log_factors = (p.detach().numpy() for p in model.head.parameters())
    gates, experts = [], []
    for c in range(len(eta)):
        energy = sum(beta[c, n] ** 2 * (b[n] @ h) ** 2 for n in range(len(b)))
        factor = math.exp(log_factors[c])
        for s in range(eta.shape[1]):
            precision = math.exp(alpha[c, s])
            gates.append(math.exp(eta[c, s] - precision * energy / 2 + precision * (w[c] @ h)))
            residual = y - a[c] @ h
            density = factor * math.sqrt(precision / (2 * math.pi))
            experts.append(density * math.exp(-precision * factor**2 * residual**2 / 2))
    return sum(g * e for g, e in zip(gates, experts, strict=True)) / sum(gates)


def log_prob_map(model: MCGSM | RIDE, image: np.ndarray) -> np.ndarray:
    n = neighbours(model, image)
    inputs, predictor = model.whitening.inputs.numpy(), model.whitening.predictor.numpy()
    h = n @ inputs.T
    for layer in model.layers if isinstance(model, RIDE) else ():
        assert isinstance(layer, SpatialLSTM)
        h = by_pixel(layer, h)
    q = model.whitening.log_scale.item()
    y = (image - model.whitening.mean.item() - n @ predictor) / math.exp(q)
    return np.array(
        [[math.log(mcgsm(model, h[r, c], y[r, c])) - q for c in range(image.shape[1])] for r in range(len(image))]
    )


@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.parametrize("size", [(1, 1), (1, 6), (5, 1), (4, 7), (6, 5)])
def test_log_prob_is_the_papers_formula(name: str, size: tuple[int, int]) -> None:
    model = DENSITIES[name].model(seed=sum(size))
    assert isinstance(model, MCGSM | RIDE)
    image = 2 + 2 * np.random.default_rng(0).normal(size=size)
    with torch.no_grad():
        log_prob = model.log_prob_map(torch.from_numpy(image)[None, None])[0, 0].numpy()
    np.testing.assert_allclose(log_prob, log_prob_map(model, image), rtol=0, atol=1e-11)


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (23, 1), (13, 22)])
def test_nets_of_the_published_sizes_are_stepped_as_they_are_scored(size: tuple[int, int]) -> None:
    """Pixel by pixel, within 1e-8 nats in float64, on grey levels of a smooth image."""
    torch.manual_seed(0)
    noise = torch.randn(1, 1, 43, 52).double()
    smooth = 110 + 150 * torch.nn.functional.avg_pool2d(noise, 4, 1)[0, 0]
    for model in (RIDE(64), RIDE(64, num_layers=2), MCGSM()):
        model.double().whitening.fit([smooth])
        image = smooth[: size[0], : size[1]].float()
        with torch.no_grad():
            expected = model.log_prob(image.double()[None, None]).item()
        engine = Engine(model.program(), 4, dtype=torch.float64, interpreter="torch")
        known, mask = image[..., None].numpy(), np.ones(size, bool)
        engine.add(DrawRequest("a", "", *size, 0, 0, 1.0, None, known, mask))
        drawn = [output for _ in range(size[0] * size[1]) for output in engine.step() if isinstance(output, Drawn)]
        assert drawn[0].log_prob == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize(
    ("interpreter", "dtype", "tolerance"), [("torch", torch.float64, 1e-8), ("auto", torch.float32, 1e-2)]
)
def test_every_interpreter_holds_cells_that_would_overflow(
    interpreter: Interpreter, dtype: torch.dtype, tolerance: float
) -> None:
    model, size = DENSITIES["ride 2 layers"].model(), (30, 150)
    assert isinstance(model, RIDE)
    with torch.no_grad():
        for layer in model.layers:
            assert isinstance(layer, SpatialLSTM)
            layer.inputs.bias[-2 * model.width :] = 3
    image = (2 + np.random.default_rng(1).normal(size=size)).astype(np.float32)
    expected = model.log_prob(torch.from_numpy(image)[None, None]).item()
    assert math.isfinite(expected)
    engine = Engine(model.program(), 4, dtype=dtype, interpreter=interpreter)
    engine.add(DrawRequest("a", "", *size, 0, 0, 1.0, None, image[..., None], np.ones(size, bool)))
    outputs = []
    while engine.busy:
        outputs += engine.step()
    drawn = next(output for output in outputs if isinstance(output, Drawn))
    assert drawn.log_prob == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize("name", DENSITIES)
def test_gradients_of_log_prob_are_those_of_finite_differences(name: str) -> None:
    model = DENSITIES[name].model()
    image = 2 + torch.randn(1, 1, 3, 4, generator=torch.Generator().manual_seed(5)).double()
    model.log_prob(image).sum().backward()  # type: ignore[no-untyped-call]
    step = 1e-6
    for parameter in model.parameters():
        assert parameter.grad is not None
        direction = torch.randn(parameter.shape, generator=torch.Generator().manual_seed(6)).double()
        values = []
        with torch.no_grad():
            for sign in (1, -2, 1):
                parameter += sign * step * direction
                values.append(model.log_prob(image).sum().item())
        slope = (values[0] - values[1]) / (2 * step)
        assert (parameter.grad * direction).sum().item() == pytest.approx(slope, rel=1e-6, abs=1e-7)
