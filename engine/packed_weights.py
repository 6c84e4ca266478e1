"""The weights of a step program as the torch interpreter's products take them: packed once for all that bind them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from engine.torch_operations import pack
from engine.wide_products import pack_wide
from models.program import Affine, Ref, Tap

Residue = tuple[int, int]
"""Row and column modulo the stride of an operation's up-taps, which choose their weights."""


class PackedWeights:
    """`parameters`: on the device and in the precision given; `scales`: from `engine.gate_scales`."""

    def __init__(
        self, parameters: Mapping[str, Tensor], scales: Mapping[str, Tensor], device: str, dtype: torch.dtype
    ) -> None:
        self._parameters, self._scales, self._like = parameters, scales, torch.zeros(0, device=device, dtype=dtype)
        self._packed: dict[tuple[int, int, int], tuple[Tensor, Tensor | None]] = {}
        self._wide: dict[tuple[int, int, int], Tensor] = {}

    def of(self, op: Affine, residue: Residue) -> tuple[Tensor, Tensor | None]:
        """Weight and bias as `pack` makes them."""
        key = (id(op), *residue)
        if key not in self._packed:
            scale = self._scale(op.out)
            weights = [self._weight(tap, *residue) * scale[:, None] / self._scale(tap.source) for tap in op.taps]
            bias = None if op.bias is None else self._parameters[op.bias] * scale
            self._packed[key] = pack(weights or [self._like.new_zeros(op.out.width, 0)], bias)
        return self._packed[key]

    def wide(self, op: Affine, residue: Residue) -> Tensor:
        """The weight as `pack_wide` makes it."""
        key = (id(op), *residue)
        if key not in self._wide:
            self._wide[key] = pack_wide(self.of(op, residue)[0])
        return self._wide[key]

    def _weight(self, tap: Tap, row: int, column: int) -> Tensor:
        weight = self._parameters[tap.weight]
        return weight if tap.up == 1 else weight[row % tap.up * tap.up + column % tap.up]

    def _scale(self, ref: Ref) -> Tensor:
        scale = self._scales.get(ref.feature)
        scale = torch.ones(ref.width) if scale is None else scale[ref.start : ref.stop]
        return scale.to(self._like.device, self._like.dtype)
