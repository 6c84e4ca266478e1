"""From a map to a vector for every pixel of an image, by deconvolutions (van den Oord et al. 2016, "Pixel Recurrent
Neural Networks", arXiv 1601.06759, section 3.6; "Conditional Image Generation with PixelCNN Decoders", arXiv
1606.05328, section 2.3, where s = m(h) are the vectors).

    u_k = K * map                         kernel x kernel, not masked: all of the map is known beforehand
    u_j = T_j relu(u_{j+1}),  j = k-1..0   transposed convolutions, 2x2 with stride 2
    context = relu(u_0 + E y)             y: a one-hot class, the same at every pixel (our addition)

With `cells` the vector goes on (our addition) with the numbers of the map as they are: at the place that a pixel lies
in, right of it, below it, and right below; and once more, for the first pixel of a place alone, those of the place: of
a coarse image it is the very pixel. Exact levels would have to be spelt out of u_0 otherwise, and are not: without
cells the second net of `models.multi_scale` took 24,000 images to learn outlines, and hardly a colour.

A map of level k, such as a coarse image, has ceil(H / 2^k) x ceil(W / 2^k) places for an image of H x W pixels; what
u_0 has beyond H x W is cut off. Outside the map its numbers are 0. At level 0 there is no T.

Tensors: `conv` (K), `ups.i` (T_{k-1-i}, weight [in, out, 2, 2]), `classes` (E, [width, classes]).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import ModelError
from models.masked import check_kernel

MAX_LEVEL = 4
AROUND = (0, 0), (0, 1), (1, 0), (1, 1)
"""Offsets, row and column, of the places of the map whose numbers `cells` tells."""


class ContextMap(nn.Module):
    """The deconvolutions.

    Args:
        channels: of the map. width: length of the vectors. level: k, 0 to MAX_LEVEL. kernel: odd size of K.
        num_classes: length of y, or 0. cells: as above; 5 * channels numbers more.
    """

    def __init__(
        self, channels: int, width: int, level: int, kernel: int, num_classes: int, cells: bool = False
    ) -> None:
        super().__init__()
        if channels < 1 or width < 1 or not 0 <= level <= MAX_LEVEL:
            sizes = f"{channels}, {width} and {level}"
            raise ModelError(f"a map has channels and a width, positive, and a level of 0 to {MAX_LEVEL}, not {sizes}")
        check_kernel(kernel)
        self.conv = nn.Conv2d(channels, width, kernel, padding=kernel // 2)
        self.ups = nn.ModuleList(nn.ConvTranspose2d(width, width, 2, stride=2) for _ in range(level))
        self.cells, self.size = cells, width + 5 * channels if cells else width
        self.classes = nn.Linear(num_classes, width, bias=False) if num_classes else None

    def forward(self, given: Tensor, context: Tensor | None, rows: int, cols: int) -> Tensor:
        """A map [batch, channel, ceil(rows / 2^k), ceil(cols / 2^k)] of numbers -> [batch, size, row, col].

        `context`: y [batch, num_classes], or None without classes.
        """
        u = self.conv(given)
        for up in self.ups:
            u = up(F.relu(u))
        if self.classes is not None and context is not None:
            u = u + self.classes(context)[:, :, None, None]
        vectors = F.relu(u[:, :, :rows, :cols])
        return torch.cat([vectors, self._cells(given)[:, :, :rows, :cols]], 1) if self.cells else vectors

    def _cells(self, given: Tensor) -> Tensor:
        """The numbers as they are, [batch, 5 * channels, 2^k * row, 2^k * col] of the map."""
        rows, cols = given.shape[2:]
        padded = F.pad(given, (0, 1, 0, 1))
        around = torch.cat([padded[:, :, i : i + rows, j : j + cols] for i, j in AROUND], 1)
        zoom = 1 << len(self.ups)
        repeated = around.repeat_interleave(zoom, 2).repeat_interleave(zoom, 3)
        first = torch.zeros_like(repeated[:, : given.shape[1]])
        first[:, :, ::zoom, ::zoom] = given
        return torch.cat([repeated, first], 1)
