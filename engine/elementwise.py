"""Elementwise functions whose last bit does not depend on where an element stands in its tensor.

torch computes whole vectors of a tensor with one routine and the rest of it with another, whose last bits differ
(measured: elu and sigmoid, torch 2.13): an image would depend on its slot and on the number of slots. So rows that do
not fill whole vectors are computed in a padded copy.
"""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.scratch import Run, Scratch

# Two vectors of the widest kind (AVX-512, float32): the stride of torch's vectorised loops.
BLOCK = 32
# Of so many elements a function takes no longer than the call.
FEW = 1024


def _by_whole_vectors(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    def run(x: Tensor) -> Tensor:
        if x.shape[-1] % BLOCK == 0:
            return function(x)
        size = x.numel()
        return function(F.pad(x.reshape(-1), (0, -size % BLOCK)))[:size].view(x.shape)

    return run


tanh = _by_whole_vectors(torch.tanh)
sigmoid = _by_whole_vectors(torch.sigmoid)
elu = _by_whole_vectors(F.elu)
softplus = _by_whole_vectors(F.softplus)
exp = _by_whole_vectors(torch.exp)
expm1 = _by_whole_vectors(torch.expm1)
log = _by_whole_vectors(torch.log)
log1p = _by_whole_vectors(torch.log1p)
normal_quantile = _by_whole_vectors(torch.special.ndtri)


def sigmoid_of(x: Tensor, scratch: Scratch) -> tuple[list[Run], Tensor]:
    """The calls that compute the sigmoid of what `x` then holds, and where they leave it."""
    return _bind(torch.sigmoid, x, scratch)


def tanh_of(x: Tensor, scratch: Scratch) -> tuple[list[Run], Tensor]:
    """As `sigmoid_of`."""
    return _bind(torch.tanh, x, scratch)


def sigmoid_and_tanh_of(x: Tensor, split: int, scratch: Scratch) -> tuple[list[Run], Tensor, Tensor]:
    """As `sigmoid_of` for the first `split` elements of the last dimension and `tanh_of` for the others.

    Where these need a padded copy and elements are few, both functions are computed of all: a copy is spared.
    """
    first, second = x[..., :split], x[..., split:]
    if (split % BLOCK == 0 and x.shape[-1] % BLOCK == 0) or x.numel() > FEW:
        (calls, s), (more, t) = sigmoid_of(first, scratch), tanh_of(second, scratch)
        return [*calls, *more], s, t
    size = x.numel()
    padded = scratch.take("padded", (size + -size % BLOCK,), x)
    s, t = scratch.like("sigmoid", padded), scratch.like("tanh", padded)
    calls = [
        partial(padded[:size].view(x.shape).copy_, x),
        partial(torch.sigmoid, padded, out=s),
        partial(torch.tanh, padded, out=t),
    ]
    return calls, s[:size].view(x.shape)[..., :split], t[:size].view(x.shape)[..., split:]


def _bind(function: Callable[..., Tensor], x: Tensor, scratch: Scratch) -> tuple[list[Run], Tensor]:
    name = function.__name__
    if x.shape[-1] % BLOCK == 0:
        whole = scratch.like(name, x)
        return [partial(function, x, out=whole)], whole
    size = x.numel()
    padded = scratch.take(name, (size + -size % BLOCK,), x)
    part = padded[:size].view(x.shape)
    return [partial(part.copy_, x), partial(function, padded, out=padded)], part


def logsumexp(x: Tensor) -> Tensor:
    """log sum exp over the last dimension [..., n] -> [...]: such a sum runs along each row by itself."""
    highest = x.amax(-1)
    return highest + log(exp(x - highest[..., None]).sum(-1))
