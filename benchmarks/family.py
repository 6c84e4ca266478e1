"""One net a family: how likely it finds the test images, how fast it learns, and how fast it draws.

The lesson of the PixelRNN paper, "slow to train and slow to generate" against "fast to train and slow to generate",
and what the engine makes of it.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

import training
from benchmarks import unrolled
from benchmarks.clock import seconds
from benchmarks.nets import SIZE
from benchmarks.rounding import CHECKPOINTS
from benchmarks.samplers import ROWS, Sampler, naive, native, torch_fronts, torch_interpreter
from benchmarks.table import Findings, Table
from benchmarks.turns import alternate
from engine.native.encode import NoKernel
from engine.native.library import NativeError, NativeProgram
from models.base import Model
from models.bundle import load_bundle
from models.diagonal_bilstm import DiagonalBiLSTMLayer
from models.facts import DensityFacts, EvaluationFacts
from models.fronts import front_slope
from models.recurrent import RecurrentLayer
from models.registry import ARCHITECTURES
from models.row_lstm import RowLSTMLayer
from training.config import read_fit_config

CONFIGS = Path(training.__file__).parent / "configs"
MEMBERS = {
    "Gated PixelCNN": "gated-pixelcnn-mnist-binary",
    "PixelCNN": "pixelcnn-mnist-binary",
    "Row LSTM": "row-lstm-mnist-binary",
    "Diagonal BiLSTM": "diagonal-bilstm-mnist-binary",
    "RIDE": "ride-deadleaves",
}
"""Of every family the bundle that is loaded; where it is not shipped, the config from which it is built."""
SIDE_BY_SIDE = (1, 16)
BATCH = 16
LAYER_WIDTH, LAYER_BATCH = 24, 64


def family(_: Sequence[int], rounds: int) -> Findings:
    """The table of families, and the recurrent layers against unrolled ones."""
    return Findings([_families(rounds), _layers(rounds)])


def net(name: str) -> tuple[Model, str]:
    """The net called `name`, and what its bundle tells of its likelihood; random weights where there is no bundle."""
    if (CHECKPOINTS / name).is_dir():
        bundle = load_bundle(CHECKPOINTS / name)
        return bundle.model, likelihood(bundle.config.evaluation)
    config = read_fit_config(CONFIGS / f"{name}.toml")
    levels = {} if config.crop else {"channels": 1, "num_levels": 2}
    torch.manual_seed(0)
    return ARCHITECTURES[config.architecture](**levels, **config.sizes).eval(), "not shipped"


def likelihood(facts: EvaluationFacts | DensityFacts) -> str:
    """What a bundle tells, in its unit."""
    if isinstance(facts, DensityFacts):
        return f"{facts.density_bits_per_pixel.mean:.4f} bit/px of a density"
    return f"{-facts.log_prob_nats.mean:.2f} nats, {facts.bits_per_dim.mean:.4f} bits/dim"


def _families(rounds: int) -> Table:
    rows: list[tuple[object, ...]] = []
    for title, name in MEMBERS.items():
        model, told = net(name)
        learning = 1 / alternate({"": _training(model)}, rounds)[""]
        num_weights = sum(parameter.numel() for parameter in model.parameters())
        for n in SIDE_BY_SIDE:
            ways = {"naive": naive(model, n, SIZE), "torch": _torch(model, n)} | _native(model, n)
            took = alternate(ways, rounds)
            rates = {way: 1 / took[way] / SIZE**2 for way in ways}
            shown = [_rate(rates.get(way), rates["naive"]) for way in ("torch", "native")]
            first = (title, f"{num_weights:,}", told, f"{learning:.0f}") if n == SIDE_BY_SIDE[0] else ("",) * 4
            rows.append((*first, n, f"{rates['naive']:.3g}", *shown))
    header = (
        *("family", "weights", "test set", f"training, images/s (batch {BATCH})", "images"),
        *("naive, images/s", "torch interpreter", "native fp32"),
    )
    notes = (
        f"Images of {SIZE}x{SIZE}; processor time of one thread, median of {rounds} turns. Training is one forward and "
        "one backward pass, eager, float32. Naive is one forward pass of whole images a pixel, the same weights; of "
        "RIDE, one pass of the likelihood. The likelihoods are those that the bundles tell, each of its own test set."
    )
    return Table("The families", header, rows, notes)


def _torch(model: Model, num_images: int) -> Sampler:
    """As an engine would draw it."""
    program = model.program()
    is_in_fronts = front_slope(program) is not None
    return torch_fronts(program, num_images, SIZE) if is_in_fronts else torch_interpreter(model, num_images, SIZE)


def _native(model: Model, num_images: int) -> dict[str, Sampler]:
    """The native sampler, where there is one for this model."""
    try:
        return {"native": native(NativeProgram(model.program()), num_images, SIZE, ROWS)}
    except (NativeError, NoKernel):
        return {}


def _rate(rate: float | None, of_naive: float) -> str:
    return "no kernel" if rate is None else f"{rate:.3g}/s, x {rate / of_naive:.0f}"


def _training(model: Model) -> Callable[[], float]:
    """Processor seconds an image."""
    torch.manual_seed(0)
    x = torch.randn(BATCH, 1, SIZE, SIZE)
    images = (x > 0).byte() if model.num_levels else x
    return _step(model, lambda: -model.log_prob(images).mean(), BATCH)


def _layers(rounds: int) -> Table:
    """A layer of `models` against the same layer unrolled."""
    x = torch.randn(SIZE, SIZE, LAYER_BATCH, 2 * LAYER_WIDTH, requires_grad=True)
    row, diagonal = RowLSTMLayer(LAYER_WIDTH, 1, 0, False), DiagonalBiLSTMLayer(LAYER_WIDTH, 1, 0, False)
    rows = [
        *_compare("Row LSTM", row, partial(unrolled.row_lstm, row), x, rounds),
        *_compare("Diagonal BiLSTM", diagonal, partial(unrolled.diagonal_bilstm, diagonal), x, rounds),
    ]
    notes = (
        f"One layer with h = {LAYER_WIDTH}, {SIZE}x{SIZE}, {LAYER_BATCH} images, forward and backward. Unrolled is a "
        "loop over rows, or over the columns of the skewed map, in the graph of autograd. Models are trained in "
        "bfloat16."
    )
    return Table(
        "Training a recurrent layer", ("layer", "", "unrolled, images/s", "ours, images/s", "ratio"), rows, notes
    )


def _compare(
    title: str, layer: RecurrentLayer, plain: Callable[[Tensor], Tensor], x: Tensor, rounds: int
) -> list[tuple[str, ...]]:
    """Both in float32 as they stand, and both in bfloat16, ours with compiled gates: the way it is trained."""
    rows = []
    for way, is_trained in (("float32, eager", False), ("bfloat16, our gates compiled", True)):
        ours = partial(layer, context=None, compiled=is_trained)
        steps = {
            name: _step(layer, partial(_autocast, states, x, is_trained), LAYER_BATCH)
            for name, states in (("unrolled", plain), ("ours", ours))
        }
        took = alternate(steps, rounds)
        rates = (f"{1 / took[name]:.0f}" for name in steps)
        rows.append((title, way, *rates, f"x {took['unrolled'] / took['ours']:.2f}"))
    return rows


def _autocast(states: Callable[[Tensor], Tensor], x: Tensor, enabled: bool) -> Tensor:
    with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
        return states(x).float().sum()


def _step(module: nn.Module, loss: Callable[[], Tensor], num_images: int) -> Callable[[], float]:
    """Processor seconds an image of a loss and its gradient; the first, slower call is not measured."""

    def run() -> None:
        module.zero_grad()
        loss().backward()  # type: ignore[no-untyped-call]

    run()
    return lambda: seconds(run) / num_images
