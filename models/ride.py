"""RIDE, the recurrent image density estimator (Theis & Bethge 2015, "Generative Image Modeling Using Spatial LSTMs",
arXiv 1506.03478): spatial LSTMs over the whitened neighbourhood, and an MCGSM on the hidden state.

    p(x_ij | x_<ij) = p(x_ij | h_ij)

Layer 1 reads the whitened neighbours z of `models.whitening`, layer l + 1 the hidden state of layer l at the same
pixel; the MCGSM predicts the whitened pixel from the top hidden state alone. Every pixel above and to the left is seen,
and those above-right as far as the neighbourhood reaches. Outside the image pixels are the data mean and states are 0.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn

from models.base import Model, ModelError
from models.mcgsm_head import McgsmHead
from models.program import Program
from models.ride_program import build_program
from models.spatial_lstm import SpatialLSTM, diagonal_order
from models.whitening import Whitening


class RIDE(Model):
    """A density of grey images of any height and width; its pixels are real numbers in the unit of the training data.

    Args:
        width: hidden units H of a layer. num_layers: spatial LSTMs.
        neighbourhood: odd side of the square of causal neighbours; 5 makes 12 of them.
        num_components, num_scales, num_features: of the MCGSM.

    >>> model = RIDE(width=4, num_layers=2, num_components=3)
    >>> model.log_prob(torch.randn(5, 1, 6, 7)).shape
    torch.Size([5])
    """

    def __init__(
        self,
        width: int,
        num_layers: int = 1,
        neighbourhood: int = 5,
        num_components: int = 32,
        num_scales: int = 4,
        num_features: int = 32,
    ) -> None:
        super().__init__()
        if width < 1 or num_layers < 1:
            raise ModelError("RIDE has at least one layer of at least one hidden unit")
        self.channels, self.num_levels, self.context_size = 1, 0, 0
        self.width, self.neighbourhood = width, neighbourhood
        self.whitening = Whitening(neighbourhood)
        widths = [len(self.whitening.offsets)] + [width] * num_layers
        self.layers = nn.ModuleList(SpatialLSTM(below, width) for below in widths[:-1])
        self.head = McgsmHead(width, num_components, num_scales, num_features)

    def sizes(self) -> dict[str, Any]:
        num_components, num_scales = self.head.priors.shape
        return {
            "width": self.width,
            "num_layers": len(self.layers),
            "neighbourhood": self.neighbourhood,
            "num_components": num_components,
            "num_scales": num_scales,
            "num_features": len(self.head.features),
        }

    def log_prob_map(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        self.check_input(x, context)
        pixels = x[:, 0].to(self.whitening.mean.dtype)
        batch, rows, cols = pixels.shape
        order = diagonal_order(rows, cols).to(x.device)
        maps = [t.reshape(batch, rows * cols, -1).transpose(0, 1)[order] for t in (*self.whitening(pixels), pixels)]
        z, whitening, values = maps
        h = z
        for layer in self.layers:
            h = layer(h, (rows, cols))
        log_prob = self.head(h.flatten(0, 1), whitening.flatten(0, 1), values.flatten())
        raster = torch.empty_like(log_prob).view(rows * cols, batch).index_copy(0, order, log_prob.view(-1, batch))
        return raster.t().reshape(batch, 1, rows, cols)

    def compiled_log_prob(self) -> Callable[..., Tensor]:
        return self.log_prob  # a scan of hundreds of steps takes minutes to compile; the MCGSM gains nothing

    def program(self) -> Program:
        return build_program(self.whitening, [cast(SpatialLSTM, layer) for layer in self.layers], self.head)
