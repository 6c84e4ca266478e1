"""One small instance of every kind of model: the contract tests run over all of them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.request import Told, told
from models.base import Model
from models.diagonal_bilstm import DiagonalBiLSTM
from models.gated_pixelcnn import GatedPixelCNN
from models.mcgsm import MCGSM
from models.multi_scale import MultiScale
from models.pixel_cnn import PixelCNN
from models.ride import RIDE
from models.row_lstm import RowLSTM


@dataclass(frozen=True)
class Tiny:
    """`height` x `width` is small enough to list every image, or to integrate over the images of a density.

    `any_context`: its contexts are any numbers, as an embedding is, not one-hot.
    """

    make: Callable[[], Model]
    height: int
    width: int
    any_context: bool = False

    def model(self, seed: int = 0) -> Model:
        """Random weights in float64, larger than at the start of training so that every path matters."""
        torch.manual_seed(seed)
        model = self.make().double().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(2)
        return model

    def context(self, model: Model, batch: int, height: int = 1, width: int = 1) -> Tensor | None:
        """What a model is told of `batch` images, [batch, size]; or maps [batch, channels, row, col] of -1, 0 and 1,
        for images of `height` x `width`."""
        size = model.context_size
        if told := model.given_map:
            shape = batch, told.channels, *told.shape(height, width)
            return torch.randint(-1, 2, shape, generator=torch.Generator().manual_seed(4)).double()
        if size and self.any_context:  # float32 numbers, exactly: the engine takes no others
            return torch.randn(batch, size, generator=torch.Generator().manual_seed(4)).double()
        return torch.eye(size, dtype=torch.float64)[torch.arange(batch) % size] if size else None


def told_of(context: Tensor | None) -> Told:
    """Fields of a `DrawRequest`: the context of one image, a vector [size] or a map [channels, row, col]."""
    return told(None if context is None else context.float().movedim(0, -1).contiguous().numpy())


def _map(channels: int, level: int) -> dict[str, int]:
    return {"channels": channels, "level": level, "width": 3, "kernel": 3}


def whitened(model: MCGSM | RIDE) -> Model:
    """`model` with a random whitening, as if it had been fitted to correlated pixels of mean 2."""
    constants = model.whitening
    constants.mean.fill_(2)
    constants.log_scale.fill_(-0.4)
    constants.inputs.copy_(torch.eye(len(constants.offsets)) + 0.2 * torch.randn_like(constants.inputs))
    constants.predictor.copy_(torch.randn_like(constants.predictor) / 4)
    return model


TINY = {
    "gated-pixelcnn grey binary": Tiny(lambda: GatedPixelCNN(1, 2, 6, [1, 2], first_kernel=5, head_width=8), 3, 4),
    "gated-pixelcnn grey 3 levels": Tiny(lambda: GatedPixelCNN(1, 3, 4, [1], head_width=8), 2, 3),
    "gated-pixelcnn grey 3 levels by class": Tiny(
        lambda: GatedPixelCNN(1, 3, 4, [1, 1], kernel=5, head_width=8, num_classes=3), 3, 2
    ),
    "gated-pixelcnn grey 3 levels by embedding": Tiny(
        lambda: GatedPixelCNN(1, 3, 4, [1, 1], kernel=5, head_width=8, num_classes=5), 3, 2, any_context=True
    ),
    "gated-pixelcnn rgb binary by embedding": Tiny(
        lambda: GatedPixelCNN(3, 2, 6, [1], head_width=12, num_classes=4), 2, 2, any_context=True
    ),
    "gated-pixelcnn grey 3 levels by a small map": Tiny(
        lambda: GatedPixelCNN(1, 3, 4, [1, 1], head_width=8, given_map=_map(1, 1)), 3, 2
    ),
    "gated-pixelcnn grey binary by a map, two deconvolutions": Tiny(
        lambda: GatedPixelCNN(1, 2, 4, [2], head_width=8, given_map=_map(3, 2)), 3, 3
    ),
    "gated-pixelcnn rgb 3 levels by a map of its size": Tiny(
        lambda: GatedPixelCNN(3, 3, 6, [1], head_width=12, given_map=_map(2, 0)), 1, 2
    ),
    "gated-pixelcnn rgb binary by class": Tiny(lambda: GatedPixelCNN(3, 2, 6, [1], head_width=12, num_classes=2), 2, 2),
    "gated-pixelcnn rgb 3 levels": Tiny(lambda: GatedPixelCNN(3, 3, 6, [2], head_width=12), 1, 2),
    "pixelcnn grey binary": Tiny(lambda: PixelCNN(1, 2, 6, [1, 2], first_kernel=3, head_width=8), 3, 4),
    "pixelcnn grey 3 levels by class": Tiny(lambda: PixelCNN(1, 3, 4, [1, 1], 3, 5, 8, num_classes=3), 3, 2),
    "pixelcnn rgb 3 levels": Tiny(lambda: PixelCNN(3, 3, 6, [1], first_kernel=5, head_width=12), 1, 2),
    "row-lstm grey binary": Tiny(lambda: RowLSTM(1, 2, 4, 2, first_kernel=3, head_width=8), 3, 4),
    "row-lstm grey 3 levels by class, skip": Tiny(
        lambda: RowLSTM(1, 3, 3, 2, first_kernel=3, head_width=8, num_classes=3, residual=False, skip=True), 3, 2
    ),
    "row-lstm rgb 3 levels, digits": Tiny(
        lambda: RowLSTM(3, 3, 6, 1, first_kernel=3, head_width=12, digits=True), 1, 2
    ),
    "pixelcnn grey 5 levels, digits": Tiny(lambda: PixelCNN(1, 5, 4, [1], 3, 3, 8, digits=True), 2, 2),
    "pixelcnn grey 3 levels by class, direct": Tiny(
        lambda: PixelCNN(1, 3, 4, [1], 3, 3, 8, num_classes=3, direct=True), 3, 2
    ),
    "row-lstm rgb 3 levels by class, direct": Tiny(
        lambda: RowLSTM(3, 3, 6, 1, first_kernel=3, head_width=12, num_classes=3, direct=True), 1, 2
    ),
    "row-lstm rgb 3 levels": Tiny(lambda: RowLSTM(3, 3, 6, 1, first_kernel=3, head_width=12), 1, 2),
    "diagonal-bilstm grey binary": Tiny(lambda: DiagonalBiLSTM(1, 2, 4, 2, first_kernel=3, head_width=8), 3, 4),
    "diagonal-bilstm grey 3 levels by class, skip": Tiny(
        lambda: DiagonalBiLSTM(1, 3, 3, 2, first_kernel=3, head_width=8, num_classes=3, residual=False, skip=True), 3, 2
    ),
    "diagonal-bilstm rgb 3 levels": Tiny(lambda: DiagonalBiLSTM(3, 3, 6, 1, first_kernel=3, head_width=12), 1, 2),
}
DENSITIES = {
    "mcgsm 5x5": Tiny(lambda: whitened(MCGSM(5, 3, 2, 4)), 1, 2),
    "mcgsm 7x7 one scale": Tiny(lambda: whitened(MCGSM(7, 2, 1, 1)), 2, 1),
    "ride": Tiny(lambda: whitened(RIDE(5, 1, 5, 3, 2, 4)), 1, 2),
    "ride 2 layers": Tiny(lambda: whitened(RIDE(4, 2, 3, 2, 3, 2)), 2, 1),
}
_PIXEL_CNN = {"kind": "pixel_cnn", "width": 6, "dilations": [1], "first_kernel": 3, "head_width": 12}
_ROW_LSTM = {"kind": "row_lstm", "width": 6, "num_layers": 1, "first_kernel": 3, "head_width": 12}
_DIAGONAL = {"kind": "diagonal_bilstm", "width": 6, "num_layers": 1, "first_kernel": 3, "head_width": 12}
CHAINS = {
    "grey binary": Tiny(lambda: MultiScale(1, 2, 1, 4, 3, _ROW_LSTM, _PIXEL_CNN), 2, 4),
    "grey 3 levels by class, two deconvolutions": Tiny(
        lambda: MultiScale(1, 3, 2, 5, 3, _DIAGONAL, _ROW_LSTM | {"skip": True}, num_classes=3), 2, 3
    ),
    "rgb 3 levels": Tiny(
        lambda: MultiScale(3, 3, 1, 4, 3, _PIXEL_CNN | {"digits": True}, _DIAGONAL | {"residual": False}), 1, 2
    ),
    "grey 5 levels, digits of the coarse image": Tiny(
        lambda: MultiScale(1, 5, 1, 4, 3, _PIXEL_CNN, _ROW_LSTM | {"digits": True}, map_digits=True), 2, 2
    ),
    "rgb 3 levels, digits of the coarse image": Tiny(
        lambda: MultiScale(3, 3, 1, 4, 3, _PIXEL_CNN, _PIXEL_CNN | {"digits": True}, map_digits=True), 1, 2
    ),
    "rgb 3 levels by class, cells, direct": Tiny(
        lambda: MultiScale(
            3, 3, 2, 4, 3, _PIXEL_CNN, _ROW_LSTM | {"direct": True}, num_classes=2, map_digits=True, map_cells=True
        ),
        1,
        2,
    ),
    "grey 3 levels, cells of 8x8 pixels, direct": Tiny(
        lambda: MultiScale(1, 3, 3, 4, 3, _PIXEL_CNN, _DIAGONAL | {"direct": True}, map_cells=True), 2, 2
    ),
}
"""Models that draw a coarse image first: `height` x `width` is that of either image."""
