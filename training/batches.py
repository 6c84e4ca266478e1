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


class Batches(IterableDataset[Batch]):
    """Endless batches (images [batch, 1, row, col], labels [batch]), from the step that `next_step` tells.

    Raises ConfigError where all images together make no batch.
    """

    def __init__(self, split: Split, batch_size: int, seed: int, next_step: Callable[[], int]) -> None:
        if batch_size > len(split):
            raise ConfigError(f"batch_size is {batch_size}, but there are only {len(split)} training images")
        self.split, self.batch_size, self.seed, self.next_step = split, batch_size, seed, next_step

    def __iter__(self) -> Iterator[Batch]:
        step = self.next_step()
        while True:
            chosen = batch_indices(len(self.split), self.batch_size, self.seed, step)
            yield self.split.images[chosen], self.split.labels[chosen]
            step += 1
