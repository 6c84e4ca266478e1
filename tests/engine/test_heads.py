"""The samplers of the heads, through the engine: frequencies, distributions, and the same bits in any company."""

import itertools
import math
from collections import Counter

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.draw import draw
from engine.engine import Engine
from engine.heads import bind_head
from engine.request import Drawn, DrawRequest, RequestRejected, RowDrawn
from models.heads import McgsmParameters, logistic_mixture_log_prob, mcgsm_log_prob
from models.program import PIXEL, Affine, Feature, Head, HeadKind, Phase, Program, Ref
from tests.models.test_heads import mcgsm_parameters, randn

WHITENING = (1.5, -0.4)


def constant_program(
    kind: HeadKind, channels: int, num_levels: int, inputs: list[list[float]], constants: tuple[Tensor, ...] = ()
) -> Program:
    """Every pixel has the same distribution: the head's inputs are biases."""
    parameters = {f"in{k}": torch.tensor(values).double() for k, values in enumerate(inputs)}
    names = tuple(f"constant{k}" for k in range(len(constants)))
    refs = tuple(Ref(f"feature{k}", 0, len(values)) for k, values in enumerate(inputs))
    features = (Feature(PIXEL, channels), *(Feature(ref.feature, ref.width) for ref in refs))
    ops = tuple(Affine(ref, (), f"in{k}") for k, ref in enumerate(refs))
    head = Head(kind, refs, 0, channels, names)
    weights = parameters | dict(zip(names, constants, strict=True))
    return Program(channels, num_levels, features, (Phase("pixel", ops, 0),), (head,), weights)


def mcgsm_program() -> Program:
    h = randn(6, seed=4).tolist()
    return constant_program("mcgsm", 1, 0, [h, list(WHITENING)], tuple(mcgsm_parameters()))


def tempered(parameters: Tensor, num_levels: int, channels: int, temperature: float) -> dict[tuple[int, ...], float]:
    """p^(1/T) of every pixel value, renormalised over the levels channel by channel."""
    pixels = list(itertools.product(range(num_levels), repeat=channels))
    table = logistic_mixture_log_prob(parameters.expand(len(pixels), -1), torch.tensor(pixels), num_levels)
    conditional = {pixel[: c + 1]: row[c] / temperature for pixel, row in zip(pixels, table.tolist(), strict=True)
                   for c in range(channels)}  # fmt: skip
    result = {}
    for pixel in pixels:
        terms = [conditional[pixel[: c + 1]] for c in range(channels)]
        totals = [
            math.log(sum(math.exp(conditional[(*pixel[:c], v)]) for v in range(num_levels))) for c in range(channels)
        ]
        result[pixel] = math.exp(sum(terms) - sum(totals))
    return result


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
@pytest.mark.parametrize(("channels", "num_levels"), [(1, 40), (1, 2), (3, 3), (3, 2)])
def test_logistic_mixture_samples_are_as_frequent_as_their_probability(
    channels: int, num_levels: int, temperature: float
) -> None:
    parameters = randn({1: 3, 3: 10}[channels] * 3, seed=6)
    program = constant_program("logistic_mixture", channels, num_levels, [parameters.tolist()])
    images, log_probs = draw(program, 100, 10, 10, seed=8, temperature=temperature, num_slots=100, interpreter="torch")
    pixels = images.reshape(-1, channels)
    counts = Counter(map(tuple, pixels.tolist()))
    expected = {v: p * len(pixels) for v, p in tempered(parameters, num_levels, channels, temperature).items()}
    assert sum(expected.values()) == pytest.approx(len(pixels))
    common = {v for v, count in expected.items() if count > 5}
    chi_square = sum((counts[v] - expected[v]) ** 2 / expected[v] for v in common)
    assert chi_square < len(common) + 5 * math.sqrt(2 * len(common))
    log_prob = logistic_mixture_log_prob(parameters.expand(len(pixels), -1), torch.from_numpy(pixels), num_levels)
    np.testing.assert_allclose(log_probs.sum(), log_prob.sum(), rtol=1e-5)


def test_mcgsm_samples_follow_the_density() -> None:
    """Kolmogorov-Smirnov against the sum of the components' normal distribution functions."""
    images, log_probs = draw(mcgsm_program(), 100, 10, 10, seed=8, num_slots=100, interpreter="torch")
    assert images.dtype == np.float32
    x = np.sort(images.ravel()).astype(np.float64)
    cdf = mcgsm_cdf(torch.from_numpy(x), randn(6, seed=4), mcgsm_parameters()).numpy()
    steps = np.arange(len(x) + 1) / len(x)
    distance = max((steps[1:] - cdf).max(), (cdf - steps[:-1]).max())
    assert distance < 1.95 / math.sqrt(len(x)), "less than one in a thousand"
    h, whitening = randn(6, seed=4).expand(len(x), -1), torch.tensor(WHITENING).double().expand(len(x), -1)
    log_prob = mcgsm_log_prob(h, whitening, torch.from_numpy(x), mcgsm_parameters())
    np.testing.assert_allclose(log_probs.sum(), log_prob.sum(), rtol=1e-5)


def mcgsm_cdf(x: Tensor, h: Tensor, p: McgsmParameters) -> Tensor:
    drive = p.linear_features @ h - p.weights.square() @ (p.features @ h).square() / 2
    gates = torch.softmax((p.priors + p.scales.exp() * drive[:, None]).flatten(), 0)
    y = (x - WHITENING[0]) / math.exp(WHITENING[1])
    residual = (y[:, None] - p.predictors @ h) * p.cholesky_factors.abs()
    standard = residual[:, :, None] * (p.scales / 2).exp()
    return torch.special.ndtr(standard).flatten(1) @ gates


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_density_is_resumed_from_its_own_float32_values(dtype: torch.dtype) -> None:
    program = mcgsm_program()
    rows: list[RowDrawn] = []
    engine = Engine(program, num_slots=4, dtype=dtype, interpreter="torch")
    engine.add(DrawRequest("a", "", 5, 6, 1, 0))
    while engine.busy:
        rows += [output for output in engine.step() if isinstance(output, RowDrawn)]
    assert all(row.values.dtype == np.float32 and np.isfinite(row.values).all() for row in rows)
    known = np.stack([row.values for row in rows])
    for num_rows in (1, 4, 5):
        mask = np.zeros((5, 6), bool)
        mask[:num_rows] = True
        engine.add(DrawRequest("b", "", 5, 6, 1, 0, known=np.where(mask[..., None], known, np.nan), mask=mask))
        outputs = [output for _ in range(30) for output in engine.step()]
        drawn = next(output for output in outputs if isinstance(output, Drawn))
        assert drawn.values.tobytes() == known.tobytes()
        assert drawn.log_prob == sum(row.log_prob for row in rows)


def test_what_a_density_does_not_take_is_refused() -> None:
    engine = Engine(mcgsm_program(), num_slots=4, interpreter="torch")
    with pytest.raises(RequestRejected, match="temperature 1"):
        engine.add(DrawRequest("a", "", 2, 2, 0, 0, temperature=0.9))
    mask = np.ones((2, 2), bool)
    for known in (np.zeros((2, 2, 1), np.uint8), np.full((2, 2, 1), np.nan, np.float32)):
        with pytest.raises(RequestRejected, match="finite float32"):
            engine.add(DrawRequest("a", "", 2, 2, 0, 0, known=known, mask=mask))


@pytest.mark.parametrize(
    ("kind", "channels", "num_levels"),
    [("logistic_mixture", 3, 256), ("logistic_mixture", 1, 37), ("mcgsm", 1, 0), ("categorical", 1, 256)],
)
def test_a_slots_result_has_the_same_bits_whatever_its_place_and_company(
    kind: HeadKind, channels: int, num_levels: int
) -> None:
    """At the sizes of real models, where products and elementwise functions take their vectorised ways."""
    widths = {"mcgsm": [64, 2], "categorical": [num_levels]}.get(kind, [70 if channels == 3 else 21])
    constants = tuple(p.float() / 3 for p in mcgsm_parameters(12, 4, 32, 64)) if kind == "mcgsm" else ()
    program = constant_program(kind, channels, num_levels, [[0.0] * width for width in widths], constants)
    sample = bind_head(program, program.heads[0], program.parameters)
    inputs = [randn(35, width + 3, seed=k).float()[:, 3:] for k, width in enumerate(widths)]
    u, temperature = torch.special.ndtr(randn(35, 2, channels)), torch.ones(35).double()
    known, is_known = torch.ones(35, channels), randn(35) > 1
    values, log_probs = sample(inputs, u, temperature, known, is_known)
    for size, start in itertools.product((4, 5, 8, 13, 16, 31), range(0, 35, 3)):
        own = slice(start, start + size)
        if len(is_known[own]) < 4:
            continue
        part = sample([x[own] for x in inputs], u[own], temperature[own], known[own], is_known[own])
        assert torch.equal(part[0], values[own]) and torch.equal(part[1], log_probs[own])
