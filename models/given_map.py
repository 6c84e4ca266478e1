"""From the levels of a map to the numbers that a model is told: the same in training, at admission and in a job."""

import torch
from torch import Tensor

from models.conditioning import ByMap
from models.masked import code


def numbers_of(levels: Tensor, conditioning: ByMap) -> Tensor:
    """Levels [map, channel, row, col], integers, of an image or labels -> float32 [map, number, row, col].

    An image has 2 level / (num_levels - 1) - 1, as the models code their own pixels; a label is 1 at its own place of
    `num_levels`, 0 elsewhere.
    """
    if conditioning.what == "image":
        return code(levels, conditioning.num_levels, torch.float32)
    # Of a megapixel and 256 labels a gigabyte; integers on the way would take two more.
    shape = len(levels), conditioning.num_levels, *levels.shape[2:]
    return torch.zeros(shape).scatter_(1, levels.long(), 1.0)
