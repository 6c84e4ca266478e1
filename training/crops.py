"""Dequantised crops of grey images: what a density is trained on. A crop is an image of its own, with its borders."""

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from models.base import Model
from models.mcgsm import MCGSM
from models.ride import RIDE
from training.batches import Batch
from training.config import ConfigError, FitConfig

# Seeds of generators are seed * STRIDE + step; step -1 is the validation crops, step -2 the whitening.
STRIDE = 1_000_003


def dequantise(images: Tensor, generator: torch.Generator) -> Tensor:
    """uint8 levels + u, u uniform on [0, 1), as float32: then -log2 p bounds the code length of the levels."""
    return images + torch.rand(images.shape, generator=generator)


def crop_batch(images: Sequence[Tensor], side: int, batch_size: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Random crops [batch_size, 1, side, side], dequantised; every crop of every image is equally likely.

    `flip`: half of them are mirrored left to right.
    """
    starts = torch.tensor([(len(image) - side + 1) * (image.shape[1] - side + 1) for image in images])
    chosen = torch.multinomial(starts.double(), batch_size, replacement=True, generator=generator)
    crops = []
    for image in (images[k] for k in chosen.tolist()):
        row, col = (int(torch.randint(size - side + 1, (), generator=generator)) for size in image.shape)
        crop = image[row : row + side, col : col + side]
        crops.append(crop.flip(1) if flip and torch.rand((), generator=generator) < 0.5 else crop)
    return dequantise(torch.stack(crops)[:, None], generator)


class CropBatches(IterableDataset[Batch]):
    """Endless batches (crops, zeros for labels), each a function of (seed, step), from the step `next_step` tells."""

    def __init__(self, images: Sequence[Tensor], config: FitConfig, next_step: Callable[[], int]) -> None:
        self.images, self.config, self.next_step = images, config, next_step

    def __iter__(self) -> Iterator[Batch]:
        config, step = self.config, self.next_step()
        while True:
            generator = torch.Generator().manual_seed(config.seed * STRIDE + step)
            crops = crop_batch(self.images, config.crop, config.batch_size, config.flip, generator)
            yield crops, torch.zeros(config.batch_size, dtype=torch.int64)
            step += 1


def crop_loaders(
    config: FitConfig, splits: dict[str, list[Tensor]], next_step: Callable[[], int]
) -> tuple[DataLoader[Batch], DataLoader[tuple[Tensor, ...]]]:
    """Loaders of training batches, and of the fixed validation crops, `num_validation` of them."""
    for split, images in splits.items():
        if min(min(image.shape) for image in images) < config.crop:
            raise ConfigError(f"{config.id}: crop {config.crop} is larger than an image of the {split} split")
    generator = torch.Generator().manual_seed(config.seed * STRIDE - 1)
    crops = crop_batch(splits["validation"], config.crop, config.num_validation, False, generator)
    validation = TensorDataset(crops, torch.zeros(len(crops), dtype=torch.int64))
    train: DataLoader[Batch] = DataLoader(CropBatches(splits["train"], config, next_step), batch_size=None)
    return train, DataLoader(validation, batch_size=config.batch_size)


def fit_whitening(model: Model, images: Sequence[Tensor], seed: int) -> None:
    """Fit the whitening of a density to all of the training images, dequantised."""
    if not isinstance(model, MCGSM | RIDE):
        raise TypeError(f"{type(model).__name__} has no whitening")
    generator = torch.Generator().manual_seed(seed * STRIDE - 2)
    model.whitening.fit([dequantise(image, generator) for image in images])
