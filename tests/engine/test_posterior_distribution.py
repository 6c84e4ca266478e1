"""What chains over a hole converge to: the posterior, found by enumeration or by quadrature."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch

from engine.draw import draw
from engine.engine import Engine, Interpreter
from engine.inpaint import inpaint
from models.base import Model
from models.mcgsm import MCGSM
from models.pixel_cnn import PixelCNN
from models.ride import RIDE
from models.row_lstm import RowLSTM
from tests.engine.holes import completion, completions, hole_in
from tests.engine.native import build_or_skip
from tests.models.tiny import Tiny, whitened


@pytest.fixture(params=["torch", "native"])
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    if request.param == "native":
        build_or_skip()
    kind: Interpreter = request.param
    return kind


# Two rows of eight pixels; the hole is the upper one, wider than a block, and all that is known lies behind it.
LEVELS: dict[str, Callable[[], Model]] = {
    "pixelcnn": lambda: PixelCNN(1, 2, 8, [1, 1], first_kernel=5, head_width=8),
    "row-lstm": lambda: RowLSTM(1, 2, 6, 2, first_kernel=3, head_width=8),
}
UPPER_ROW, NUM_CHAINS = hole_in(2, 8, np.s_[:1, :]), 600


def chi_square(images: list[np.ndarray], probabilities: np.ndarray) -> float:
    """Pearson's, of upper rows against p [256], in deviations from its mean; rare rows are one class."""
    powers = 1 << np.arange(8)[::-1]
    counts = np.bincount([int(image[0, :, 0] @ powers) for image in images], minlength=256)
    expected = probabilities * len(images)
    common = expected >= 5
    counts, expected = (np.append(x[common], x[~common].sum()) for x in (counts, expected))
    degrees = len(counts) - 1
    return float((((counts - expected) ** 2 / expected).sum() - degrees) / np.sqrt(2 * degrees))


@pytest.mark.parametrize("make", LEVELS.values(), ids=LEVELS.keys())
def test_chains_follow_the_posterior_that_is_found_by_enumeration(
    make: Callable[[], Model], interpreter: Interpreter
) -> None:
    model = Tiny(make, 2, 8).model()
    known = np.array([[0] * 8, [1, 1, 0, 1, 0, 0, 1, 0]], np.uint8)[:, :, None]
    images = np.repeat(known[None], 256, 0)
    images[:, 0, :, 0] = list(itertools.product(range(2), repeat=8))
    with torch.no_grad():
        log_probs = model.log_prob(torch.from_numpy(images).movedim(-1, 1))
    posterior = torch.softmax(log_probs, 0).numpy()
    engine = Engine(model.program(), 256, interpreter=interpreter)
    chains = inpaint(engine, completion(known, UPPER_ROW), NUM_CHAINS, 6)
    assert chi_square([chain.checkpoint.values for chain in chains], posterior) < 4
    # The test can tell: what ignores the row below the hole, as a ratio would that leaves it out, is far off.
    assert chi_square(completions(engine, known, UPPER_ROW, NUM_CHAINS), posterior) > 10


@pytest.mark.parametrize("name", ["mcgsm", "ride"])
def test_chains_of_a_density_follow_the_posterior_that_is_found_by_quadrature(name: str) -> None:
    """Two pixels of the hole, a block for each, and known ones around."""
    build_or_skip()
    make: dict[str, Callable[[], Model]] = {
        "mcgsm": lambda: whitened(MCGSM(5, 3, 2, 4)),
        "ride": lambda: whitened(RIDE(5, 1, 5, 3, 2, 4)),
    }
    model, mask = Tiny(make[name], 2, 6).model(seed=1), hole_in(2, 6, np.s_[0, 0], np.s_[0, 5])
    t = torch.linspace(-4, 4, 160, dtype=torch.float64)
    points, weights = 2 + torch.sinh(t), torch.cosh(t)  # fine around the data mean, and far out
    known = draw(model.program(), 1, 2, 6, seed=9)[0][0]
    images = torch.from_numpy(known).movedim(-1, 0).double().repeat(len(t) ** 2, 1, 1, 1)
    images[:, 0, 0, [0, 5]] = torch.cartesian_prod(points, points)
    with torch.no_grad():
        log_probs = torch.cat([model.log_prob(some) for some in images.view(len(t), len(t), *images.shape[1:])])
    density = log_probs.softmax(0).view(len(t), -1)
    joint = (density * torch.outer(weights, weights)).numpy()
    engine = Engine(model.program(), 256, interpreter="native")
    chains = inpaint(engine, completion(known, mask), NUM_CHAINS, 12)
    filled = np.stack([chain.checkpoint.values for chain in chains])
    ancestral = np.stack(completions(engine, known, mask, NUM_CHAINS))
    assert (filled[:, mask] == known[mask]).all()
    off, blind = (
        [distance(x[:, 0, column, 0], points.numpy(), joint.sum(axis)) for column, axis in ((0, 1), (5, 0))]
        for x in (filled, ancestral)
    )
    assert max(off) < 2.1, "less than three in ten thousand"
    assert max(blind) > 4, "the test can tell"


def distance(samples: np.ndarray, points: np.ndarray, masses: np.ndarray) -> float:
    """Kolmogorov-Smirnov, times sqrt(n), from a distribution of masses around points."""
    u = np.sort(np.interp(samples, points, (np.cumsum(masses) - masses / 2) / masses.sum()))
    steps = np.arange(len(u) + 1) / len(u)
    return float(max((steps[1:] - u).max(), (u - steps[:-1]).max()) * np.sqrt(len(u)))
