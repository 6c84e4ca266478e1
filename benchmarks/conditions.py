"""What a condition adds to the time of a sample: a class, an embedding, a map."""

from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
import torch

from benchmarks.clock import seconds
from benchmarks.nets import SIZE
from benchmarks.table import Findings, Table
from engine.engine import Engine
from engine.request import DrawRequest, Told, told
from models.gated_pixelcnn import GatedPixelCNN

NUM_IMAGES, SLOTS, WIDTH, DILATIONS = 8, 8, 32, [1, 2, 4, 1, 2, 4]
SMALL = {"channels": 1, "level": 1, "width": 16, "kernel": 5}
LABELS = {"channels": 2, "level": 0, "width": 16, "kernel": 5}
NETS: dict[str, dict[str, Any]] = {
    "none": {},
    "a class of 10": {"num_classes": 10},
    "an embedding of 64": {"num_classes": 64},
    "a map, 14x14 grey": {"given_map": SMALL},
    "a map, 28x28, 2 labels": {"given_map": LABELS},
}


def conditions(_: Sequence[int], rounds: int) -> Findings:
    """Images of the same net without a condition, and told each kind of one."""
    drawers = {name: drawer(**sizes) for name, sizes in NETS.items()}
    took: dict[str, list[float]] = {name: [] for name in drawers}
    for _round in range(rounds):
        for name, draw in drawers.items():
            took[name].append(seconds(draw))
    rows = []
    for name, times in took.items():
        ratio = median(mine / plain for mine, plain in zip(times, took["none"], strict=True))
        rows.append((name, f"{median(times) / NUM_IMAGES * 1e3:.2f}", f"{100 * (ratio - 1):+.1f} %"))
    layers = len(DILATIONS) + 1
    notes = (
        f"Processor time of one thread, native float32, {NUM_IMAGES} images at a time, {rounds} turns in one process. "
        "The last column is the median of the ratios within a turn. A map's deconvolutions are computed once a row."
    )
    title = f"What a condition costs: Gated PixelCNN, {layers} layers x {WIDTH}, {SIZE}x{SIZE}, 256 levels"
    return Findings([Table(title, ("condition", "ms an image", "over none"), rows, notes)])


def drawer(num_classes: int = 0, given_map: dict[str, int] | None = None) -> Callable[[], None]:
    """Draws NUM_IMAGES images a call; the first ones warm it up."""
    torch.manual_seed(0)
    model = GatedPixelCNN(1, 256, WIDTH, DILATIONS, num_classes=num_classes, given_map=given_map).eval()
    engine, context = Engine(model.program(), SLOTS), context_of(model)

    def draw() -> None:
        for k in range(NUM_IMAGES):
            engine.add(DrawRequest(str(k), "", SIZE, SIZE, 1, k, **context))
        while engine.busy:
            engine.step()

    draw()
    return draw


def context_of(model: GatedPixelCNN) -> Told:
    """Random numbers as a context; speed does not depend on them."""
    rng = np.random.default_rng(0)
    if sizes := model.given_map:
        return told(rng.uniform(-1, 1, (*sizes.shape(SIZE, SIZE), sizes.channels)).astype(np.float32))
    return told(rng.uniform(-1, 1, model.context_size).astype(np.float32) if model.context_size else None)
