"""Which sub-pixels a model may see, from the papers' kernels alone: sets of offsets, no tensor.

A seen set holds (rows down, columns right, channel) relative to the pixel; entry g is what group g of a map sees.
"""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from models.base import Model
from models.diagonal_bilstm import DiagonalBiLSTM
from models.gated_pixelcnn import GatedPixelCNN
from models.mcgsm import MCGSM
from models.pixel_cnn import PixelCNN
from models.ride import RIDE
from models.row_lstm import RowLSTM

Offset = tuple[int, int]
Seen = list[set[tuple[int, int, int]]]
MAX_SIZE = 8  # of an image that `dependence` is asked about; recurrent models reach to any distance


def dependence(model: Model, height: int, width: int) -> np.ndarray:
    """[changed, seen] over the sub-pixels of an image in drawing order."""
    channels, sees = model.channels, _RULES[type(model)](model.sizes())
    matrix = np.zeros((height * width * channels,) * 2, bool)
    for (r, c), k in ((p, k) for p in np.ndindex(height, width) for k in range(channels)):
        for dy, dx, j in sees[k]:
            if 0 <= r + dy < height and 0 <= c + dx < width:
                matrix[((r + dy) * width + c + dx) * channels + j, (r * width + c) * channels + k] = True
        if isinstance(model, DiagonalBiLSTM) and r and c + model.first_kernel // 2 < width - 1:
            matrix[r * width * channels - 1, (r * width + c) * channels + k] = False  # the end of the row above
    return matrix


def _gated(sizes: dict[str, Any]) -> Seen:
    channels, first, half = sizes["channels"], sizes["first_kernel"] // 2, sizes["kernel"] // 2
    above = {(-dy, dx, j) for dy in _to(first) for dx in _around(first) for j in range(channels)}
    vertical = [above] * channels
    horizontal = [_left(first, channels) | {(0, 0, j) for j in range(g)} | above for g in range(channels)]
    for d in sizes["dilations"]:
        vertical = _convolve(vertical, [(-dy * d, dx * d) for dy in range(half + 1) for dx in _around(half)], 0)
        horizontal = _convolve(horizontal, [(0, -dx * d) for dx in _to(half)], 1)
        horizontal = [h | v for h, v in zip(horizontal, vertical, strict=True)]
    return horizontal


def _pixel_cnn(sizes: dict[str, Any]) -> Seen:
    half, seen = sizes["kernel"] // 2, _first(sizes)
    for d in sizes["dilations"]:
        above = [(-dy * d, dx * d) for dy in _to(half) for dx in _around(half)]
        seen = _convolve(seen, above + [(0, -dx * d) for dx in _to(half)], 1)
    return seen


def _neighbourhood(sizes: dict[str, Any]) -> Seen:
    half = sizes["neighbourhood"] // 2
    return [{(-dy, dx, 0) for dy in _to(half) for dx in _around(half)} | _left(half, 1)]


def _ride(sizes: dict[str, Any]) -> Seen:
    """The neighbourhoods of all pixels above and to the left, up to a distance of MAX_SIZE."""
    seen, steps = _neighbourhood(sizes)[0], range(MAX_SIZE)
    return [{(y - dy, x - dx, j) for y, x, j in seen for dy in steps for dx in steps}]


def _row_lstm(sizes: dict[str, Any]) -> Seen:
    """k rows up, the states of columns -k .. k, each of which has read itself and its left neighbour."""
    seen = _first(sizes)
    for _ in range(sizes["num_layers"]):
        above = {(-k, dx) for k in _to(MAX_SIZE) for dx in range(-k - 1, k + 1)}
        seen = _convolve(seen, above | {(0, -1)}, 1)
    return seen


def _diagonal_bilstm(sizes: dict[str, Any]) -> Seen:
    """Left to right, what is above and left; right to left, what is above and right: every earlier pixel."""
    left, above = ([(0, -k) for k in _to(MAX_SIZE)], [(-k, dx) for k in _to(MAX_SIZE) for dx in _around(MAX_SIZE)])
    return _convolve(_first(sizes), left + above, 1) if sizes["num_layers"] else _first(sizes)


def _first(sizes: dict[str, Any]) -> Seen:
    """The first layer of the PixelRNN family: mask A."""
    channels, half = sizes["channels"], sizes["first_kernel"] // 2
    above = {(-dy, dx, j) for dy in _to(half) for dx in _around(half) for j in range(channels)}
    return [above | _left(half, channels) | {(0, 0, j) for j in range(g)} for g in range(channels)]


def _left(reach: int, channels: int) -> set[tuple[int, int, int]]:
    return {(0, -dx, j) for dx in _to(reach) for j in range(channels)}


def _convolve(seen: Seen, offsets: Iterable[Offset], centre: int) -> Seen:
    """A convolution that reads every group at `offsets`, and groups <= its own at the pixel itself if `centre`."""
    everything = set[tuple[int, int, int]]().union(*seen)
    shifted = {(y + dy, x + dx, j) for y, x, j in everything for dy, dx in offsets}
    return [shifted | (set().union(*seen[: g + 1]) if centre else set()) for g in range(len(seen))]


def _to(reach: int) -> range:
    return range(1, reach + 1)


def _around(reach: int) -> range:
    return range(-reach, reach + 1)


_RULES: dict[type[Model], Callable[[dict[str, Any]], Seen]] = {
    GatedPixelCNN: _gated,
    MCGSM: _neighbourhood,
    PixelCNN: _pixel_cnn,
    RowLSTM: _row_lstm,
    DiagonalBiLSTM: _diagonal_bilstm,
    RIDE: _ride,
}
