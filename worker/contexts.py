"""From a request's condition to the numbers that a model takes."""

import numpy as np
import numpy.typing as npt


def one_hot(index: int, size: int) -> npt.NDArray[np.float32]:
    """The context of a class: float32 [size], 1 at `index`."""
    context = np.zeros(size, np.float32)
    context[index] = 1.0
    return context
