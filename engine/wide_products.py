"""Products of many rows by oneDNN, which torch has beside its matrix library.

On processors without that library's AVX-512 kernels (AMD's) it is twice as fast; a call costs 10 us more. A row has the
same bits among any number of rows.
"""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

# Multiply-adds from which it pays, of the rows of one image (measured: torch-interpreter.md).
MIN_PRODUCTS = 900_000
HAS_ONEDNN = torch.backends.mkldnn.is_available() and all(  # type: ignore[no-untyped-call]
    hasattr(torch.ops.mkldnn, name) for name in ("_reorder_linear_weight", "_linear_pointwise")
)


def pays(num_rows: int, weight: Tensor) -> bool:
    """Whether to multiply by `weight` [K, N] this way, `num_rows` being the rows of one image: not of all slots, for
    then the bits of an image would depend on its company."""
    return (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and HAS_ONEDNN
        and torch.backends.cpu.get_cpu_capability() == "AVX512"
        and num_rows * weight.numel() >= MIN_PRODUCTS
    )


def pack_wide(weight: Tensor) -> Tensor:
    """[K, N] in the layout of `wide_product`."""
    packed: Tensor = torch.ops.mkldnn._reorder_linear_weight(weight.t().contiguous(), None)
    return packed


def wide_product(x: Tensor, packed: Tensor, bias: Tensor | None) -> Callable[[], Tensor]:
    """The call that returns x @ weight + bias, a new tensor [rows, N]."""
    return partial(torch.ops.mkldnn._linear_pointwise.default, x, packed, bias, "none", [], "")
