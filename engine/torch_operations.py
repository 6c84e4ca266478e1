"""Step-program operations bound to buffers: each becomes a few calls of torch on fixed views."""

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.cells import side_by_side
from engine.elementwise import elu, sigmoid, sigmoid_and_tanh_of, sigmoid_of, tanh, tanh_of
from engine.scratch import Run, Scratch
from engine.wide_products import wide_product
from models.program import CELL_LIMIT

# Matrix products whose width is not a multiple of 16 give other bits in the last rows than in the first (measured with
# the matrix library of torch 2.13 on AVX-512): weights are padded to it, so that a result does not depend on the slot.
WIDTH_MULTIPLE = 16


def bind_affine(
    out: Tensor,
    sources: list[Tensor],
    weight: Tensor,
    bias: Tensor | None,
    added: Tensor | None,
    scratch: Scratch,
    wide: Tensor | None = None,
) -> list[Run]:
    """out = added + bias + cat(sources) @ weight.

    Args:
        out, added: [..., N], which may be the same; sources: [..., K_i] with the same leading dimensions.
        weight, bias: [sum K, N padded] and [N padded], from `pack`.
        wide: the weight from `pack_wide`, to multiply that way.
    """
    width = out.shape[-1]
    matrix = _as_matrix(out)
    if not sources:
        value = torch.zeros_like(out[..., :1]) if bias is None else bias[:width]
        return [partial(out.copy_, value.expand_as(out))] if added is None else _start(out, added, value)
    calls, x = _gather(sources, scratch)
    if wide is not None:
        return [*calls, _leave(wide_product(x, wide, bias), out, added)]
    is_apart = not any(_share_memory(out, source) for source in sources)
    if matrix is not None and weight.shape[1] == width and is_apart:
        if added is None:
            return [*calls, _product(bias, x, weight, matrix)]
        if bias is None and added is not out and (start := _as_matrix(added)) is not None:
            return [*calls, partial(torch.addmm, start, x, weight, out=matrix)]
        return [*calls, *_start(out, added, bias), partial(matrix.addmm_, x, weight)]
    product = scratch.take("product", (x.shape[0], weight.shape[1]), out)
    result = product[:, :width].view(out.shape)
    if added is not None and weight.shape[1] == width and is_apart:
        # In the order of the sums above, which the same operation takes with another number of slots in use.
        return [*calls, *_start(result, added, bias), partial(product.addmm_, x, weight), partial(out.copy_, result)]
    last = partial(out.copy_, result) if added is None else partial(torch.add, added, result, out=out)
    return [*calls, _product(bias, x, weight, product), last]


def _start(out: Tensor, added: Tensor, bias: Tensor | None) -> list[Run]:
    """out = added + bias."""
    if bias is not None:
        return [partial(torch.add, added, bias, out=out)]
    return [] if added is out else [partial(out.copy_, added)]


def _leave(product: Callable[[], Tensor], out: Tensor, added: Tensor | None) -> Run:
    """out = added + what the call gives, [rows, N padded]."""
    width, shape = out.shape[-1], out.shape

    def run() -> None:
        result = product()[:, :width].view(shape)
        if added is None:
            out.copy_(result)
        else:
            torch.add(added, result, out=out)

    return run


def _as_matrix(x: Tensor) -> Tensor | None:
    """x as [rows, width] without a copy, or None where its strides forbid that."""
    if x.dim() == 2:
        return x
    if x.shape[1] == 1:
        return x[:, 0]
    merges = x.stride(0) == x.stride(1) * x.shape[1]
    return x.view(-1, x.shape[-1]) if merges else None


def _gather(sources: list[Tensor], scratch: Scratch) -> tuple[list[Run], Tensor]:
    """The sources side by side, [rows, sum K], and the calls that bring them there."""
    if len(sources) == 1 and (matrix := _as_matrix(sources[0])) is not None:
        return [], matrix
    if (whole := side_by_side(sources)) is not None:
        return [], whole
    width = sum(source.shape[-1] for source in sources)
    joined = scratch.take("joined", (*sources[0].shape[:-1], width), sources[0])
    return [partial(torch.cat, sources, -1, out=joined)], joined.view(-1, width)


def _share_memory(a: Tensor, b: Tensor) -> bool:
    """Whether both are views of one buffer, be it of different cells: a product must not write what it reads."""
    return a.untyped_storage().data_ptr() == b.untyped_storage().data_ptr()


def overlap(a: Tensor, b: Tensor) -> bool:
    """Whether an element of one may be one of the other; False is certain."""
    if not _share_memory(a, b):
        return False
    if a.dim() != 2 or a.shape != b.shape or a.stride() != b.stride():
        return True
    apart, (line, _), (lines, width) = abs(int(a.storage_offset()) - int(b.storage_offset())), a.stride(), a.shape
    return apart < lines * line and not width <= apart % line <= line - width


def _product(bias: Tensor | None, x: Tensor, weight: Tensor, out: Tensor) -> Run:
    return partial(torch.mm, x, weight, out=out) if bias is None else partial(torch.addmm, bias, x, weight, out=out)


def pack(weights: list[Tensor], bias: Tensor | None) -> tuple[Tensor, Tensor | None]:
    """Tap weights [N, K_i] -> one [sum K, N padded]; bias [N] -> [N padded]."""
    joined = torch.cat(weights, 1).t()
    extra = -joined.shape[1] % WIDTH_MULTIPLE
    packed = F.pad(joined, (0, extra)).contiguous()
    return packed, None if bias is None else F.pad(bias, (0, extra)).contiguous()


def bind_pointwise(kind: str, outs: list[Tensor], ins: list[Tensor], scratch: Scratch) -> list[Run]:
    """The functions of `models.program.Pointwise` on [..., width] views."""
    if kind in _BINDERS:
        return _BINDERS[kind](outs, ins, scratch)
    if kind == "spatial_lstm":
        return [lambda: _spatial_lstm(outs, ins)]
    if kind in ("add", "multiply"):
        return [_bind_chain(torch.add if kind == "add" else torch.mul, outs[0], ins)]
    if kind == "relu":  # in place it is a call of 0.6 us in place of 1.0
        is_same = outs[0].data_ptr() == ins[0].data_ptr() and outs[0].stride() == ins[0].stride()
        return [partial(torch.relu_, outs[0]) if is_same else partial(torch.clamp_min, ins[0], 0, out=outs[0])]
    function = _UNARY[kind]
    return [lambda: outs[0].copy_(function(ins[0]))]


_UNARY: dict[str, Callable[[Tensor], Tensor]] = {
    "elu": elu,
    "concat_elu": lambda a: elu(torch.cat((a, -a), -1)),
    "tanh": tanh,
    "sigmoid": sigmoid,
}


def _bind_chain(function: Callable[..., Tensor], out: Tensor, ins: list[Tensor]) -> Run:
    if len(ins) == 2:
        return partial(function, ins[0], ins[1], out=out)

    def run() -> None:
        total = function(ins[0], ins[1])
        for x in ins[2:]:
            total = function(total, x)
        out.copy_(total)

    return run


def _bind_gate(outs: list[Tensor], ins: list[Tensor], scratch: Scratch) -> list[Run]:
    f, g = ins[0].chunk(2, -1)
    calls_f, tanh_f = tanh_of(f, scratch)
    calls_g, sigmoid_g = sigmoid_of(g, scratch)
    return [*calls_f, *calls_g, partial(torch.mul, tanh_f, sigmoid_g, out=outs[0])]


def _bind_glu(outs: list[Tensor], ins: list[Tensor], scratch: Scratch) -> list[Run]:
    a, b = ins[0].chunk(2, -1)
    calls, sigmoid_b = sigmoid_of(b, scratch)
    return [*calls, partial(torch.mul, a, sigmoid_b, out=outs[0])]


def _bind_lstm(outs: list[Tensor], ins: list[Tensor], scratch: Scratch) -> list[Run]:
    """Of the gates nothing is read once an output is written, for they may be the same cell."""
    u, c_before = ins
    h_out, c_out = outs
    width = h_out.shape[-1]
    calls_u, gates, tanhs = sigmoid_and_tanh_of(u, 3 * width, scratch)
    o, f, i = gates.chunk(3, -1)
    c = scratch.like("cell", c_out) if overlap(c_out, c_before) else c_out
    calls_c, tanh_c = tanh_of(c, scratch)  # left where tanh(g) was, which is not needed by then
    return [
        *calls_u,
        partial(torch.mul, f, c_before, out=c),
        partial(c.addcmul_, i, tanhs),
        *calls_c,
        partial(torch.mul, o, tanh_c, out=h_out),
        *([] if c is c_out else [partial(c_out.copy_, c)]),
    ]


_BINDERS: dict[str, Callable[[list[Tensor], list[Tensor], Scratch], list[Run]]] = {
    "gate": _bind_gate,
    "glu": _bind_glu,
    "lstm": _bind_lstm,
}


def _spatial_lstm(outs: list[Tensor], ins: list[Tensor]) -> None:
    u, c_left, c_above = ins
    g, o, i, f_left, f_above = u.chunk(5, -1)
    c = tanh(g) * sigmoid(i) + c_left * sigmoid(f_left) + c_above * sigmoid(f_above)
    c.clamp_(-CELL_LIMIT, CELL_LIMIT)
    outs[0].copy_(tanh(c * sigmoid(o)))
    outs[1].copy_(c)
