"""Crops: equally likely everywhere, dequantised, and a function of seed and step alone."""

from pathlib import Path

import pytest
import torch

from tests.training.greys import write_greys
from training.config import ConfigError, FitConfig
from training.crops import CropBatches, crop_batch, crop_loaders, dequantise
from training.greys import load_greys


def config(**changes: object) -> FitConfig:
    values = {"id": "tiny", "data": "bsds300", "conditional": False, "sizes": {}, "seed": 1, "batch_size": 6}
    return FitConfig(**{**values, "max_steps": 9, "learning_rate": 1.0, "crop": 4, "num_validation": 10, **changes})  # type: ignore[arg-type]


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_noise_is_uniform_between_a_level_and_the_next() -> None:
    levels = torch.randint(256, (100, 100), generator=generator()).byte()
    noise = dequantise(levels, generator(1)) - levels
    assert noise.min() >= 0 and noise.max() <= 1
    assert abs(noise.mean() - 0.5) < 0.015 and abs(noise.var() - 1 / 12) < 0.005


def test_every_crop_of_every_image_is_as_likely() -> None:
    images = [torch.arange(20).view(4, 5).byte(), 100 + torch.arange(9).view(3, 3).byte()]
    crops = crop_batch(images, 3, 4000, False, generator())
    corners, counts = crops[:, 0, 0, 0].floor().unique(return_counts=True)
    assert corners.tolist() == [0, 1, 2, 5, 6, 7, 100]
    assert (counts - 4000 / 7).abs().max() < 5 * (4000 / 7) ** 0.5
    assert ((crops[:, 0, 1, 2] - crops[:, 0, 0, 0] - 4).abs() > 3).any() and crops.shape == (4000, 1, 3, 3)


def test_half_of_the_crops_are_mirrored_where_asked() -> None:
    crops = crop_batch([torch.arange(4).view(1, 4).expand(4, 4).byte() * 10], 4, 1000, True, generator())
    mirrored = (crops[:, 0, 0, 0] > crops[:, 0, 0, 3]).float().mean()
    assert abs(mirrored - 0.5) < 0.08
    assert (crops[:, 0, :, 0].floor() == crops[:, 0, :1, 0].floor()).all()


def test_batches_go_on_from_any_step(tmp_path: Path) -> None:
    write_greys(tmp_path)
    images = load_greys("bsds300", tmp_path)["train"]
    whole = iter(CropBatches(images, config(), lambda: 0))
    batches = [next(whole)[0] for _ in range(5)]
    resumed = iter(CropBatches(images, config(), lambda: 3))
    assert torch.equal(next(resumed)[0], batches[3]) and torch.equal(next(resumed)[0], batches[4])
    assert not torch.equal(batches[3], batches[4])
    other = iter(CropBatches(images, config(seed=2), lambda: 3))
    assert not torch.equal(next(other)[0], batches[3])


def test_validation_crops_are_the_same_in_every_run(tmp_path: Path) -> None:
    write_greys(tmp_path)
    splits = load_greys("bsds300", tmp_path)
    first, second = (crop_loaders(config(), splits, lambda step=step: step)[1] for step in (0, 7))  # type: ignore[misc]
    crops = [torch.cat([batch[0] for batch in loader]) for loader in (first, second)]
    assert torch.equal(*crops) and crops[0].shape == (10, 1, 4, 4)


def test_a_crop_larger_than_an_image_is_refused(tmp_path: Path) -> None:
    write_greys(tmp_path)
    with pytest.raises(ConfigError, match="crop 12 is larger than an image of the train split"):
        crop_loaders(config(crop=12), load_greys("bsds300", tmp_path), lambda: 0)
