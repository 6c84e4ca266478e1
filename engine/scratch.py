"""Tensors for what lives no longer than one operation: the same for all operations, so that they stay in the caches."""

from collections.abc import Callable

import torch
from torch import Tensor

Run = Callable[[], object]
"""A call of torch with all of its arguments: `functools.partial` costs less than a function of Python around it."""


class Scratch:
    """Of one interpreter, whose operations run one after the other."""

    def __init__(self) -> None:
        self._tensors: dict[tuple[object, ...], Tensor] = {}

    def take(self, name: str, shape: tuple[int, ...], like: Tensor) -> Tensor:
        """Zeros at first; the same tensor for the same name, shape, precision and device."""
        key = (name, shape, like.dtype, like.device)
        if key not in self._tensors:
            self._tensors[key] = torch.zeros(shape, dtype=like.dtype, device=like.device)
        return self._tensors[key]

    def clear(self) -> None:
        """Give the memory back as soon as nobody else holds it."""
        self._tensors.clear()

    def like(self, name: str, x: Tensor) -> Tensor:
        """Of the shape of `x`."""
        return self.take(name, tuple(x.shape), x)
