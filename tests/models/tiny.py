"""One small instance of every kind of model: the contract tests run over all of them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.base import Model
from models.gated_pixelcnn import GatedPixelCNN


@dataclass(frozen=True)
class Tiny:
    """`height` x `width` is small enough to list every image."""

    make: Callable[[], Model]
    height: int
    width: int

    def model(self, seed: int = 0) -> Model:
        """Random weights in float64, larger than at the start of training so that every path matters."""
        torch.manual_seed(seed)
        model = self.make().double().eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(2)
        return model

    def context(self, model: Model, batch: int) -> Tensor | None:
        size = model.context_size
        return torch.eye(size, dtype=torch.float64)[torch.arange(batch) % size] if size else None


TINY = {
    "gated-pixelcnn grey binary": Tiny(lambda: GatedPixelCNN(1, 2, 6, [1, 2], first_kernel=5, head_width=8), 3, 4),
    "gated-pixelcnn grey 3 levels": Tiny(lambda: GatedPixelCNN(1, 3, 4, [1], head_width=8), 2, 3),
    "gated-pixelcnn grey 3 levels by class": Tiny(
        lambda: GatedPixelCNN(1, 3, 4, [1, 1], kernel=5, head_width=8, num_classes=3), 3, 2
    ),
    "gated-pixelcnn rgb binary by class": Tiny(lambda: GatedPixelCNN(3, 2, 6, [1], head_width=12, num_classes=2), 2, 2),
    "gated-pixelcnn rgb 3 levels": Tiny(lambda: GatedPixelCNN(3, 3, 6, [2], head_width=12), 1, 2),
}
