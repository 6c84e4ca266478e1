"""Pictures of a card that show what a condition does; nothing in them is chosen, but which tags are shown."""

from collections.abc import Sequence

import torch
from PIL import Image
from torch import Tensor

from models.base import Model
from models.conditioning import ByMap
from models.encoder import Encoder
from training.contexts import embedded
from training.datasets import Split
from training.mse import MSEAutoEncoder
from training.samples import SEED, draw_samples, grid

LINES, COLUMNS = 10, 10
NUM_PATHS, STEPS = 8, 10


def asked_and_drawn(model: Model, encoder: Encoder, mse: MSEAutoEncoder | None, images: Tensor) -> Image.Image:
    """A line for each of LINES test images, spread over all: the image, its squared-error reconstruction if there is
    one, then samples given its vector."""
    shown = images[spread(len(images), LINES)]
    first = [shown]
    if mse is not None:
        with torch.inference_mode():
            first.append(mse(shown))
    num_drawn = COLUMNS - len(first)
    vectors = embedded(Split(shown, shown), encoder).labels.repeat_interleave(num_drawn, 0)
    height, width = images.shape[2:]
    drawn = draw_samples(model, vectors, height, width, progress=True)
    columns = [part.float()[:, None] for part in first] + [drawn.float().view(LINES, num_drawn, *images.shape[1:])]
    return grid(torch.cat(columns, 1).flatten(0, 1), model.num_levels, COLUMNS)


def paths(model: Model, encoder: Encoder, images: Tensor) -> Image.Image:
    """Lines from the vector of one test image to that of another, straight, all samples of a line with the same random
    numbers; the two images themselves at the ends."""
    height, width = images.shape[2:]
    ends = images[spread(len(images), 2 * NUM_PATHS)]
    vectors = embedded(Split(ends, ends), encoder).labels
    shares = torch.linspace(0, 1, STEPS)[:, None]
    lines = []
    for k in range(NUM_PATHS):
        way = vectors[k] * (1 - shares) + vectors[NUM_PATHS + k] * shares
        way = torch.nn.functional.normalize(way, dim=1) if encoder.normalised else way
        # One by one: each is then sample 0 of its seed.
        drawn = [draw_samples(model, vector[None], height, width, SEED + k) for vector in way]
        lines.append(torch.cat([ends[k][None], *drawn, ends[NUM_PATHS + k][None]]))
    return grid(torch.cat(lines), model.num_levels, STEPS + 2)


def by_tag(
    model: Model, tags: tuple[str, ...], shown: Sequence[tuple[str, str]], height: int, width: int
) -> Image.Image:
    """A line of samples for each pair of `shown`, given these tags and no other."""
    vectors = torch.stack([torch.tensor([float(tag in pair) for tag in tags]) for pair in shown])
    samples = draw_samples(model, vectors.repeat_interleave(COLUMNS, 0), height, width, progress=True)
    return grid(samples, model.num_levels, COLUMNS)


def map_and_drawn(model: Model, conditioning: ByMap, test: Split) -> Image.Image:
    """A line for each of LINES test images, spread over all: its map, samples given that, the image itself."""
    chosen, num_drawn = spread(len(test), LINES), COLUMNS - 2
    images, maps = test.images[chosen], test.labels[chosen]
    height, width = images.shape[2:]
    drawn = draw_samples(model, maps.repeat_interleave(num_drawn, 0), height, width, progress=True)
    told = picture_of(maps.float(), conditioning, images.shape, model.num_levels)
    lines = torch.cat([told[:, None], drawn.view(LINES, num_drawn, *images.shape[1:]), images[:, None]], 1)
    return grid(lines.flatten(0, 1), model.num_levels, COLUMNS)


def picture_of(numbers: Tensor, conditioning: ByMap, shape: torch.Size, num_levels: int) -> Tensor:
    """Maps [image, number, row, col] as images of `shape` [image, channel, row, col] of uint8 levels, to be looked at:
    labels evenly from black to white."""
    shares = (numbers + 1) / 2
    if conditioning.what == "labels":
        shares = numbers.argmax(1, keepdim=True) / (conditioning.num_levels - 1)
    zoom = 1 << conditioning.level
    large = shares.repeat_interleave(zoom, 2).repeat_interleave(zoom, 3)[:, :, : shape[2], : shape[3]]
    return (large * (num_levels - 1)).round().to(torch.uint8).expand(shape)


def spread(count: int, wanted: int) -> Tensor:
    """`wanted` places of `count`, evenly apart: test images may come sorted by class."""
    return torch.arange(wanted) * count // wanted
