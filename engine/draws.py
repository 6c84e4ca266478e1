"""What pixels of a block of fronts are drawn with, and what is drawn."""

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.request import Values, values_dtype
from models.program import Program


@dataclass(frozen=True, slots=True)
class Draws:
    """Arrays [front, place, ...].

    numbers: float64 [.., number, channel], uniform; temperature: float64. known: [.., channel]; is_known: bool.
    values: [.., channel], what was drawn or known; log_probs: float64 [.., channel], nats at temperature 1.
    """

    numbers: npt.NDArray[np.float64]
    temperature: npt.NDArray[np.float64]
    known: Values
    is_known: npt.NDArray[np.bool_]
    values: Values
    log_probs: npt.NDArray[np.float64]

    @classmethod
    def empty(cls, shape: tuple[int, ...], program: Program, num_numbers: int) -> "Draws":
        """Of `shape` [front, place]; drawing a channel takes `num_numbers` uniform numbers."""
        pixels, dtype = (*shape, program.channels), values_dtype(program.num_levels)
        return cls(
            np.zeros((*shape, num_numbers, program.channels)),
            np.ones(shape),
            np.zeros(pixels, dtype),
            np.zeros(shape, np.bool_),
            np.zeros(pixels, dtype),
            np.zeros(pixels),
        )

    def to(self, device: str, dtype: torch.dtype) -> dict[str, Tensor]:
        """The same on a device, by name; pixels in the precision of the features."""
        tensors = {field.name: torch.from_numpy(getattr(self, field.name)).to(device) for field in fields(self)}
        return tensors | {name: tensors[name].to(dtype) for name in ("known", "values")}

    def fetch(self, tensors: dict[str, Tensor]) -> None:
        """Take over what was drawn."""
        self.values[...] = tensors["values"].cpu().numpy()
        self.log_probs[...] = tensors["log_probs"].cpu().numpy()
