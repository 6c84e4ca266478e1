"""Samples of a bundle, drawn by the engine: for the card's picture and for the classifier."""

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]

from engine.draw import draw_scales
from models.base import Model
from training.contexts import context_of

SEED = 2016


def draw_samples(
    model: Model, labels: Tensor, height: int, width: int, seed: int = SEED, progress: bool = False
) -> Tensor:
    """One sample per label [image], at temperature 1: uint8 levels [image, channel, row, col].

    `labels` are what a `Split` tells of images: classes, vectors or maps; for an unconditional model only their number
    counts.
    """
    return draw_scaled_samples(model, labels, height, width, seed, progress)[-1]


def draw_scaled_samples(
    model: Model, labels: Tensor, height: int, width: int, seed: int = SEED, progress: bool = False
) -> list[Tensor]:
    """The same samples, preceded by the coarse image of each if the model is a chain."""
    context = context_of(model, labels)
    if context is not None and context.dim() == 4:
        context = context.movedim(1, -1).contiguous()
    contexts = None if context is None else list(context.numpy())
    with tqdm(total=len(labels), desc="draw", unit="img", disable=not progress) as bar, torch.inference_mode():
        drawn = draw_scales(
            model.stages(),
            len(labels),
            height,
            width,
            seed,
            contexts,
            num_slots=100,
            progress=lambda done: bar.update(done - bar.n),
        )
    scales = [[d.coarse for d in drawn if d.coarse is not None], [d.values for d in drawn]]
    return [torch.from_numpy(np.stack(images)).movedim(-1, 1) for images in scales if images]


def classes_in_turn(num_images: int, num_classes: int) -> Tensor:
    """Labels [num_images] 0, 1, … num_classes - 1, 0, …: equally many of each; zeros without classes."""
    return torch.arange(num_images) % max(1, num_classes)


def pictured(num_classes: int) -> tuple[int, int]:
    """How many samples the card's picture shows, about a hundred, and in how many columns: one for each class."""
    columns = num_classes if 0 < num_classes <= 20 else 10
    return 100 // columns * columns, columns


def grid(images: Tensor, num_levels: int, columns: int = 10, zoom: int = 3, gap: int = 2) -> Image.Image:
    """Images [image, channel, row, col], grey or RGB, as one picture, `columns` in a line."""
    scaled = (images.float() * (255 / (num_levels - 1))).round().byte().movedim(1, -1).numpy()
    count, height, width, channels = scaled.shape
    lines = -(-count // columns)
    sheet = np.full((lines * (height + gap) + gap, columns * (width + gap) + gap, channels), 127, np.uint8)
    for k, image in enumerate(scaled):
        top, left = gap + k // columns * (height + gap), gap + k % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    picture = Image.fromarray(sheet[:, :, 0] if channels == 1 else sheet)
    return picture.resize((picture.width * zoom, picture.height * zoom), Image.Resampling.NEAREST)
