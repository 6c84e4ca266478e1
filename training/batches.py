"""Which images a step sees: a pure function of (seed, step), so that a resumed run goes on as if never stopped."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.utils.data import IterableDataset

from training.config import ConfigError
from training.datasets import Split

Batch = tuple[Tensor, Tensor]


def batch_indices(num_images: int, batch_size: int, seed: int, step: int) -> Tensor:
    """Indices [batch_size] of the images of `step`: epoch after epoch, each shuffled by its own generator.

    The last, incomplete batch of an epoch is left out.
    """
    epoch, position = divmod(step, num_images // batch_size)
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order = torch.randperm(num_images, generator=generator)
    return order[position * batch_size : (position + 1) * batch_size]


def shifted(images: Tensor, most: int, seed: int, step: int) -> Tensor:
    """Each image [image, channel, row, col] moved up or down, left or right by up to `most` pixels; what comes in
    repeats the edge."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + step)
    places = []
    for size in images.shape[2:]:
        by = torch.randint(-most, most + 1, (len(images), 1), generator=generator)
        places.append((torch.arange(size) + by).clamp(0, size - 1))
    rows, columns = places
    numbers, channels = torch.arange(len(images)), torch.arange(images.shape[1])
    return images[numbers[:, None, None, None], channels[:, None, None], rows[:, None, :, None], columns[:, None, None]]


class Batches(IterableDataset[Batch]):
    """Endless batches (images [batch, channel, row, col], labels [batch]), from the step that `next_step` tells.

    `shift`: as `most` of `shifted`. Raises ConfigError where all images together make no batch.
    """

    def __init__(self, split: Split, batch_size: int, seed: int, next_step: Callable[[], int], shift: int = 0) -> None:
        if batch_size > len(split):
            raise ConfigError(f"batch_size is {batch_size}, but there are only {len(split)} training images")
        self.split, self.batch_size, self.seed, self.next_step, self.shift = split, batch_size, seed, next_step, shift

    def __iter__(self) -> Iterator[Batch]:
        step = self.next_step()
        while True:
            chosen = batch_indices(len(self.split), self.batch_size, self.seed, step)
            images = self.split.images[chosen]
            yield shifted(images, self.shift, self.seed, step) if self.shift else images, self.split.labels[chosen]
            step += 1
