"""A small convolutional network from an image to the vector that a model is conditioned on.

    a_0 = code(x),  a_l = relu(K_l * a_{l-1})   (3x3, stride 2, one column and row of zeros around)
    h = relu(W a_L + b),  z = V h + c,  and for a normalised embedding z / |z|

Its tensors lie in a bundle's `model.safetensors` under the prefix `encoder.`: `convolutions.{l}`, `hidden`, `out`, each
with `weight` and `bias`. `hidden` reads the last maps in the order channel, row, column. Input coding as the models':
2 x / (num_levels - 1) - 1.

Within one machine and one version of torch an image alone, in one thread, always gives the same bytes. In a batch, or
on other hardware, the last bits may differ; so the service embeds an image alone, once, and keeps the vector.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import ModelError
from models.masked import code


class Encoder(nn.Module):
    """Levels [batch, channel, row, col] of images of one size -> vectors [batch, size].

    Args:
        channels, num_levels, height, width: of the images.
        size: length of the vector.
        widths: maps of each convolution. hidden: units before the last layer.
        normalised: every vector has length 1.

    >>> Encoder(1, 2, 6, 7, size=3, widths=[4, 5], hidden=8, normalised=True)(torch.zeros(2, 1, 6, 7)).shape
    torch.Size([2, 3])
    """

    def __init__(
        self,
        channels: int,
        num_levels: int,
        height: int,
        width: int,
        size: int,
        widths: Sequence[int],
        hidden: int,
        normalised: bool,
    ) -> None:
        super().__init__()
        self.num_levels, self.shape = num_levels, (channels, height, width)
        self.size, self.normalised = size, normalised
        self.convolutions = nn.ModuleList()
        for below, maps in zip((channels, *widths[:-1]), widths, strict=True):
            self.convolutions.append(nn.Conv2d(below, maps, 3, stride=2, padding=1))
            height, width = -(-height // 2), -(-width // 2)
        self.hidden = nn.Linear(widths[-1] * height * width, hidden)
        self.out = nn.Linear(hidden, size)

    def forward(self, x: Tensor) -> Tensor:
        """Vectors of levels x, integers or, for images that were tampered with, numbers between them."""
        if tuple(x.shape[1:]) != self.shape:
            raise ModelError(f"x must be [batch, {', '.join(map(str, self.shape))}], not {tuple(x.shape)}")
        maps = code(x, self.num_levels, self.out.weight.dtype)
        for convolution in self.convolutions:
            maps = F.relu(convolution(maps))
        vectors = self.out(F.relu(self.hidden(maps.flatten(1))))
        return F.normalize(vectors, dim=1) if self.normalised else vectors

    @torch.inference_mode()
    def embed(self, levels: Tensor) -> Tensor:
        """The vector [size], float32, of one image of levels [channel, row, col], always alone in its batch."""
        vector: Tensor = self(levels[None])[0].float()
        return vector
