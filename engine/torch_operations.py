"""Step-program operations bound to buffers: each becomes a function without arguments that runs on fixed views."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.elementwise import elu, sigmoid, tanh
from models.program import CELL_LIMIT

Run = Callable[[], object]

# Matrix products whose width is not a multiple of 16 give other bits in the last rows than in the first (measured with
# the matrix library of torch 2.13 on AVX-512): weights are padded to it, so that a result does not depend on the slot.
WIDTH_MULTIPLE = 16


def bind_affine(out: Tensor, sources: list[Tensor], weight: Tensor, bias: Tensor | None, accumulate: bool) -> Run:
    """out (+)= bias + cat(sources) @ weight.

    Args:
        out: [..., N]; sources: [..., K_i] with the same leading dimensions.
        weight, bias: [sum K, N padded] and [N padded], from `pack`.
    """
    width = out.shape[-1]
    matrix = _as_matrix(out)
    gather = _gather(sources)
    if not sources:
        value = torch.zeros_like(out[..., :1]) if bias is None else bias[:width]
        return (lambda: out.add_(value)) if accumulate else (lambda: out.copy_(value.expand_as(out)))
    if matrix is not None and weight.shape[1] == width and not any(_share_memory(out, source) for source in sources):
        if accumulate and bias is None:
            return lambda: matrix.addmm_(gather(), weight)
        if not accumulate:
            return lambda: _product(bias, gather(), weight, matrix)
    if accumulate:
        return lambda: out.add_(_product(bias, gather(), weight)[:, :width].reshape(out.shape))
    return lambda: out.copy_(_product(bias, gather(), weight)[:, :width].reshape(out.shape))


def _as_matrix(x: Tensor) -> Tensor | None:
    """x as [rows, width] without a copy, or None where its strides forbid that."""
    if x.dim() == 2:
        return x
    if x.shape[1] == 1:
        return x[:, 0]
    merges = x.stride(0) == x.stride(1) * x.shape[1]
    return x.view(-1, x.shape[-1]) if merges else None


def _gather(sources: list[Tensor]) -> Callable[[], Tensor]:
    """A function that returns the sources side by side, [rows, sum K]."""
    if len(sources) == 1:
        matrix = _as_matrix(sources[0])
        return (lambda: sources[0].reshape(-1, sources[0].shape[-1])) if matrix is None else (lambda: matrix)
    if sources and sources[0].dim() == 3:
        return lambda: torch.cat(sources, -1).flatten(0, 1)
    return lambda: torch.cat(sources, -1)


def _share_memory(a: Tensor, b: Tensor) -> bool:
    """Whether both are views of one buffer, be it of different cells: a product must not write what it reads."""
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def _product(bias: Tensor | None, x: Tensor, weight: Tensor, out: Tensor | None = None) -> Tensor:
    return torch.mm(x, weight, out=out) if bias is None else torch.addmm(bias, x, weight, out=out)


def pack(weights: list[Tensor], bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Tap weights [N, K_i] -> one [sum K, N padded]; bias [N] -> [N padded]."""
    joined = torch.cat(weights, 1).t()
    extra = -joined.shape[1] % WIDTH_MULTIPLE
    packed = F.pad(joined, (0, extra)).contiguous()
    return packed, None if bias is None else F.pad(bias, (0, extra)).contiguous()


def bind_pointwise(kind: str, outs: list[Tensor], ins: list[Tensor]) -> Run:
    """The functions of `models.program.Pointwise` on [..., width] views."""
    if kind == "gate":
        f, g = ins[0].chunk(2, -1)
        return lambda: torch.mul(tanh(f), sigmoid(g), out=outs[0])
    if kind == "glu":
        a, b = ins[0].chunk(2, -1)
        return lambda: torch.mul(a, sigmoid(b), out=outs[0])
    if kind == "lstm":
        return lambda: _lstm(outs, ins)
    if kind == "spatial_lstm":
        return lambda: _spatial_lstm(outs, ins)
    if kind in ("add", "multiply"):
        return _bind_chain(torch.add if kind == "add" else torch.mul, outs[0], ins)
    function = _UNARY[kind]
    return lambda: outs[0].copy_(function(ins[0]))


_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": torch.relu,
    "elu": elu,
    "concat_elu": lambda a: elu(torch.cat((a, -a), -1)),
    "tanh": tanh,
    "sigmoid": sigmoid,
}


def _bind_chain(function: Callable[..., Tensor], out: Tensor, ins: list[Tensor]) -> Run:
    if len(ins) == 2:
        return lambda: function(ins[0], ins[1], out=out)

    def run() -> None:
        total = function(ins[0], ins[1])
        for x in ins[2:]:
            total = function(total, x)
        out.copy_(total)

    return run


def _lstm(outs: list[Tensor], ins: list[Tensor]) -> None:
    u, c_before = ins
    o, f, i, g = u.chunk(4, -1)
    c = sigmoid(f) * c_before + sigmoid(i) * tanh(g)
    outs[0].copy_(sigmoid(o) * tanh(c))
    outs[1].copy_(c)


def _spatial_lstm(outs: list[Tensor], ins: list[Tensor]) -> None:
    u, c_left, c_above = ins
    g, o, i, f_left, f_above = u.chunk(5, -1)
    c = tanh(g) * sigmoid(i) + c_left * sigmoid(f_left) + c_above * sigmoid(f_above)
    c.clamp_(-CELL_LIMIT, CELL_LIMIT)
    outs[0].copy_(tanh(c * sigmoid(o)))
    outs[1].copy_(c)
