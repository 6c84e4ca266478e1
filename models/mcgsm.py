"""MCGSM as a model of its own: the pixel given its whitened causal neighbours, and nothing else.

Theis, Hosseini & Bethge 2012, "Mixtures of Conditional Gaussian Scale Mixtures Applied to Multiscale Image
Representations"; the baseline of the RIDE paper (arXiv 1506.03478).
"""

from typing import Any

from torch import Tensor

from models.base import Model
from models.mcgsm_head import McgsmHead
from models.mcgsm_program import build_program
from models.program import Program
from models.whitening import Whitening


class MCGSM(Model):
    """A density of grey images of any height and width; its pixels are real numbers in the unit of the training data.

    Args:
        neighbourhood: odd side of the square of causal neighbours; 9 makes 40 of them.
        num_components, num_scales, num_features: of the mixture.

    >>> import torch
    >>> MCGSM(neighbourhood=5, num_components=3).log_prob(torch.randn(5, 1, 6, 7)).shape
    torch.Size([5])
    """

    def __init__(
        self, neighbourhood: int = 9, num_components: int = 128, num_scales: int = 4, num_features: int = 48
    ) -> None:
        super().__init__()
        self.channels, self.num_levels, self.context_size = 1, 0, 0
        self.neighbourhood = neighbourhood
        self.whitening = Whitening(neighbourhood)
        self.head = McgsmHead(len(self.whitening.offsets), num_components, num_scales, num_features)

    def sizes(self) -> dict[str, Any]:
        num_components, num_scales = self.head.priors.shape
        return {
            "neighbourhood": self.neighbourhood,
            "num_components": num_components,
            "num_scales": num_scales,
            "num_features": len(self.head.features),
        }

    def log_prob_map(self, x: Tensor, context: Tensor | None = None) -> Tensor:
        self.check_input(x, context)
        pixels = x[:, 0].to(self.whitening.mean.dtype)
        z, whitening = self.whitening(pixels)
        log_prob: Tensor = self.head(z.flatten(0, 2), whitening.flatten(0, 2), pixels.flatten())
        return log_prob.view_as(x)

    def program(self) -> Program:
        return build_program(self.whitening, self.head)
