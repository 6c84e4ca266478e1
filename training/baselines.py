"""What a model of colour images has to beat, in bits a dimension of the test images: a histogram, and PNG."""

import io

import torch
from PIL import Image
from torch import Tensor

from models.facts import Baselines
from training.datasets import Split
from training.evaluate import estimate


def baselines(splits: dict[str, Split], num_levels: int) -> Baselines:
    """Both, of the test images; the histogram is that of the training images."""
    test = splits["test"].images
    return Baselines(estimate(histogram_bits(splits["train"].images, test, num_levels)), estimate(png_bits(test)))


def histogram_bits(train: Tensor, test: Tensor, num_levels: int) -> Tensor:
    """Bits a dimension [image], float64, of images under independent sub-pixels, each with its own distribution.

    p(level) of a sub-pixel is how often it has that level in `train`, counted from 1 on so that none is impossible.

    Args:
        train, test: levels [image, channel, row, col], uint8.
    """
    values = train.flatten(1).T.long()  # [sub-pixel, image]
    counts = torch.ones(len(values), num_levels, dtype=torch.float64)
    counts.scatter_add_(1, values, torch.ones_like(values, dtype=torch.float64))
    bits = -torch.log2(counts / counts.sum(1, keepdim=True))
    return bits.gather(1, test.flatten(1).T.long()).mean(0)


def png_bits(images: Tensor) -> Tensor:
    """Bits a dimension [image], float64, of whole PNG files of RGB images [image, channel, row, col], uint8."""
    sizes = [len(_png(image)) for image in images]
    return 8 * torch.tensor(sizes, dtype=torch.float64) / images[0].numel()


def _png(image: Tensor) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image.movedim(0, -1).contiguous().numpy()).save(file, "PNG", optimize=True)
    return file.getvalue()
