"""Conditional whitening of a pixel by its causal neighbours, fitted to data (as in RIDE: arXiv 1506.03478).

With n the neighbours x_<ij less the data mean, C their second moments and c those with the pixel itself:

    z = C^(-1/2) n              the whitened neighbours, what a model reads
    m = mean + c . C^(-1) n     the best linear prediction of the pixel
    y = (x - m) e^-q            the whitened pixel, e^q the root mean square of x - m
    log p(x | x_<) = log p(y | z) - q

Neighbours outside the image are the data mean: n = 0 there.
"""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.base import ModelError


def causal_offsets(size: int) -> tuple[tuple[int, int], ...]:
    """(rows down, columns right) of the causal neighbours in a square of odd `size`, in raster order.

    size // 2 whole rows above, and size // 2 pixels to the left: 12 neighbours for 5, 40 for 9.
    """
    half = size // 2
    above = [(dy, dx) for dy in range(-half, 0) for dx in range(-half, half + 1)]
    return (*above, *((0, dx) for dx in range(-half, 0)))


class Whitening(nn.Module):
    """The constants of the whitening; they are buffers, since maximum likelihood does not change them.

    Buffers: `mean` [1], the data mean; `inputs` [D, D] = C^(-1/2), symmetric; `predictor` [D] = C^(-1) c; `log_scale`
    [1] = q. D neighbours in the order of `causal_offsets`. Before `fit` they stand for white noise of variance 1.

    Args:
        size: odd side of the square that the neighbours come from, at least 3.
    """

    mean: Tensor
    inputs: Tensor
    predictor: Tensor
    log_scale: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        if size < 3 or size % 2 == 0:
            raise ModelError(f"the neighbourhood must be odd and at least 3, not {size}")
        self.reach, self.offsets = size // 2, causal_offsets(size)
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("inputs", torch.eye(len(self.offsets)))
        self.register_buffer("predictor", torch.zeros(len(self.offsets)))
        self.register_buffer("log_scale", torch.zeros(1))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pixels [batch, row, col] -> z [batch, row, col, D] and (m, q) [batch, row, col, 2]."""
        weight, bias = self.affine()
        return F.linear(self.neighbours(x), weight, bias).tensor_split([len(self.offsets)], -1)  # type: ignore[return-value]

    def affine(self) -> tuple[Tensor, Tensor]:
        """Weight [D + 2, D] and bias [D + 2] that turn n into z, m, q."""
        weight = torch.cat((self.inputs, self.predictor[None], torch.zeros_like(self.predictor)[None]))
        return weight, torch.cat((torch.zeros_like(self.predictor), self.mean, self.log_scale))

    def neighbours(self, x: Tensor) -> Tensor:
        """n [batch, row, col, D] of pixels x [batch, row, col]."""
        reach, (rows, cols) = self.reach, x.shape[1:]
        padded = F.pad(x.to(self.mean.dtype) - self.mean, (reach, reach, reach, 0))
        return torch.stack(
            [padded[:, reach + dy : reach + dy + rows, reach + dx : reach + dx + cols] for dy, dx in self.offsets], -1
        )

    @torch.no_grad()
    def fit(self, images: Iterable[Tensor]) -> None:
        """Set the constants from images, each [row, col], of which those pixels count that have all their neighbours.

        Sums run in float64. ModelError unless the second moments have full rank.
        """
        images = [image.double() for image in images]
        num_pixels = sum(image.numel() for image in images)
        mean = sum((image.sum() for image in images), torch.zeros(())) / num_pixels
        size, reach = len(self.offsets) + 1, self.reach
        moments, count = torch.zeros(size, size, dtype=torch.float64), 0
        for image in images:
            rows, cols = image.shape[0] - reach, image.shape[1] - 2 * reach
            if rows < 1 or cols < 1:
                continue
            places = [(reach + dy, reach + dx) for dy, dx in (*self.offsets, (0, 0))]
            vectors = torch.stack([(image - mean)[r : r + rows, c : c + cols].flatten() for r, c in places])
            moments, count = moments + vectors @ vectors.T, count + vectors.shape[1]
        self._set(mean, moments / max(1, count))

    def _set(self, mean: Tensor, moments: Tensor) -> None:
        values, vectors = torch.linalg.eigh(moments[:-1, :-1])
        if values[0] <= 1e-9 * values[-1] or values[-1] == 0:
            raise ModelError("the images vary too little to whiten their neighbourhoods: add dequantisation noise")
        predictor = vectors @ ((vectors.T @ moments[:-1, -1]) / values)
        residual = moments[-1, -1] - predictor @ moments[:-1, -1]
        if residual <= 1e-9 * moments[-1, -1]:
            raise ModelError("a pixel of these images is a linear function of its neighbours")
        self.mean.copy_(mean)
        self.inputs.copy_((vectors * values.rsqrt()) @ vectors.T)
        self.predictor.copy_(predictor)
        self.log_scale.copy_(residual.log() / 2)
