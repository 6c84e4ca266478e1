"""Maps that a model is told of images, made of the images themselves by rules that leave nothing to chance."""

from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from models.conditioning import ByMap, Conditioning
from models.given_map import numbers_of
from training.datasets import Split

EDGE_NAMES = ("flat", "edge")


@dataclass(frozen=True, slots=True)
class MapConfig:
    """What a run tells its model of every image. The table `[map]` of a run's TOML file.

    Attributes:
        source: "smaller", the image 2^level times smaller (see `smaller`); or "edges" (see `edges`), of level 0.
        level: of the map. width, kernel: of the deconvolutions, see `models.sizes.GivenMapSizes`.
    """

    source: Literal["smaller", "edges"]
    level: int
    width: int
    kernel: int

    def conditioning(self, channels: int, num_levels: int) -> ByMap:
        """What a bundle says of it; `channels` and `num_levels` are those of the images."""
        if self.source == "smaller":
            return ByMap("map", "image", self.level, channels, num_levels)
        return ByMap("map", "labels", self.level, 1, len(EDGE_NAMES), EDGE_NAMES)


def map_faults(config: MapConfig) -> list[str]:
    """What is wrong with it, one sentence each; the sizes are checked where a model is made of them."""
    if (config.source == "edges") != (config.level == 0):
        return [f"map.level must be 0 for edges and 1 or more for a smaller image, not {config.level}"]
    return []


def told_maps(split: Split, conditioning: ByMap, num_levels: int) -> Split:
    """The same images, labelled with their maps: the numbers that a model takes, [image, number, row, col]."""
    numbers = numbers_of(map_levels(split.images, conditioning, num_levels), conditioning)
    # Ones and zeros fit a byte, of which there may be a hundred million.
    return Split(split.images, numbers if conditioning.what == "image" else numbers.to(torch.int8))


def map_levels(images: Tensor, conditioning: ByMap, num_levels: int) -> Tensor:
    """Levels [image, channel, row, col] of the maps of images of `num_levels` levels."""
    return smaller(images, conditioning.level) if conditioning.what == "image" else edges(images, num_levels)


def splits_told(splits: dict[str, Split], conditioning: Conditioning, num_levels: int) -> dict[str, Split]:
    """Splits of images of `num_levels` levels: with their maps, if a model is told one, else as they are."""
    if not isinstance(conditioning, ByMap):
        return splits
    return {name: told_maps(split, conditioning, num_levels) for name, split in splits.items()}


def smaller(images: Tensor, level: int) -> Tensor:
    """uint8 levels [image, channel, row, col]: the mean of every 2^level x 2^level pixels, halves rounded up.

    At the lower and right border, where a size is no multiple of 2^level, the mean of the pixels that are there.
    """
    means = F.avg_pool2d(images.double(), 1 << level, ceil_mode=True, count_include_pad=False)
    return (means + 0.5).floor().to(torch.uint8)


def edges(images: Tensor, num_levels: int) -> Tensor:
    """uint8 labels [image, 1, row, col]: 1 where a channel differs from that of the pixel to the right or below by at
    least a quarter of the highest level, else 0."""
    levels = images.to(torch.int16)
    to_right = F.pad(levels.diff(dim=3).abs(), (0, 1))
    below = F.pad(levels.diff(dim=2).abs(), (0, 0, 0, 1))
    steps = torch.maximum(to_right, below).amax(1, keepdim=True)
    return (4 * steps >= num_levels - 1).to(torch.uint8)
