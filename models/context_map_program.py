"""The deconvolutions of `models.context_map` as operations of the row phase: no more is computed than a row needs."""

from typing import TYPE_CHECKING, Protocol, cast

import torch
from torch import Tensor

from models.context_map import AROUND
from models.program import Affine, Feature, Operation, Pointwise, Ref, Tap

if TYPE_CHECKING:
    from models.context_map import ContextMap

GIVEN = "given"
"""The feature that holds the map."""


class Builder(Protocol):
    """What collects the parts of a program."""

    features: list[Feature]
    admit: list[Operation]
    row: list[Operation]

    def put(self, name: str, value: Tensor) -> str:
        """Keep a parameter; its name."""


def add_context_map(builder: Builder, context_map: "ContextMap") -> None:
    """Feature `context`, by way of `deconvolved{j}` at levels j = k .. 1; with classes of the given vector `class`."""
    conv, level = context_map.conv, len(context_map.ups)
    width, channels, kernel, _ = conv.weight.shape
    builder.features.append(Feature(GIVEN, channels, "given_map", level))
    taps = []
    for i in range(kernel):
        for j in range(kernel):
            weight = builder.put(f"given.{i}.{j}", conv.weight[:, :, i, j])
            taps.append(Tap(Ref(GIVEN, 0, channels, i - kernel // 2, j - kernel // 2), weight))
    _add_row(builder, _name(level), width, width if level else context_map.size, level, taps, cast(Tensor, conv.bias))
    for j, up in zip(range(level - 1, -1, -1), context_map.ups, strict=True):
        _rectify(builder, _name(j + 1), width)
        weight = builder.put(f"up{j}", cast(Tensor, up.weight).permute(2, 3, 1, 0).flatten(0, 1))
        tap = Tap(Ref(_name(j + 1), 0, width), weight, up=2)
        _add_row(builder, _name(j), width, width if j else context_map.size, j, [tap], cast(Tensor, up.bias))
    if context_map.classes is not None:
        _add_class(builder, context_map.classes.weight)
    _rectify(builder, "context", width)
    if context_map.cells:
        _add_cells(builder, context_map)


def _name(level: int) -> str:
    return f"deconvolved{level}" if level else "context"


def _add_row(builder: Builder, name: str, width: int, size: int, level: int, taps: list[Tap], bias: Tensor) -> None:
    """A feature of `size` numbers, the first `width` of them from `taps`."""
    builder.features.append(Feature(name, size, level=level))
    builder.row.append(Affine(Ref(name, 0, width), tuple(taps), builder.put(f"{name}.bias", bias)))


def _add_cells(builder: Builder, context_map: "ContextMap") -> None:
    """The rest of `context`: places of the map as they are, then one for the first of its s x s pixels."""
    channels, start = context_map.conv.in_channels, context_map.conv.out_channels
    same, stride = torch.eye(channels, dtype=context_map.conv.weight.dtype), 1 << len(context_map.ups)
    as_it_is = builder.put("cells.same", same)
    for k, (i, j) in enumerate(AROUND):
        out = Ref("context", start + k * channels, start + (k + 1) * channels)
        builder.row.append(Affine(out, (Tap(Ref(GIVEN, 0, channels, i, j), as_it_is),)))
    first = torch.zeros(stride**2, channels, channels, dtype=same.dtype)
    first[0] = same
    tap = Tap(Ref(GIVEN, 0, channels), builder.put("cells.first", first) if stride > 1 else as_it_is, up=stride)
    builder.row.append(Affine(Ref("context", context_map.size - channels, context_map.size), (tap,)))


def _rectify(builder: Builder, name: str, width: int) -> None:
    builder.row.append(Pointwise("relu", (Ref(name, 0, width),), (Ref(name, 0, width),)))


def _add_class(builder: Builder, weight: Tensor) -> None:
    width, num_classes = weight.shape
    builder.features += [Feature("class", num_classes, "given_vector"), Feature("of class", width, "vector")]
    of_class, context = Ref("of class", 0, width), Ref("context", 0, width)
    builder.admit.append(Affine(of_class, (Tap(Ref("class", 0, num_classes), builder.put("class.weight", weight)),)))
    builder.row.append(Pointwise("add", (context,), (context, of_class)))
