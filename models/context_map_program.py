"""The deconvolutions of `models.context_map` as operations of the row phase: no more is computed than a row needs."""

from typing import TYPE_CHECKING, cast

from torch import Tensor

from models.program import Affine, Feature, Pointwise, Ref, Tap

if TYPE_CHECKING:
    from models.context_map import ContextMap
    from models.pixel_rnn_program import PixelRNNBuilder

GIVEN = "given"
"""The feature that holds the coarse image, its levels coded as [-1, 1]."""


def add_context_map(builder: "PixelRNNBuilder", context_map: "ContextMap") -> None:
    """Feature `context`, by way of `deconvolved{j}` at levels j = k .. 1; with classes of the given vector `class`."""
    conv, level = context_map.conv, len(context_map.ups)
    width, channels, kernel, _ = conv.weight.shape
    builder.features.append(Feature(GIVEN, channels, "given_map", level))
    taps = []
    for i in range(kernel):
        for j in range(kernel):
            weight = builder.put(f"given.{i}.{j}", conv.weight[:, :, i, j])
            taps.append(Tap(Ref(GIVEN, 0, channels, i - kernel // 2, j - kernel // 2), weight))
    _add_row(builder, f"deconvolved{level}", width, level, taps, cast(Tensor, conv.bias))
    for j, up in zip(range(level - 1, -1, -1), context_map.ups, strict=True):
        _rectify(builder, f"deconvolved{j + 1}", width)
        weight = builder.put(f"up{j}", cast(Tensor, up.weight).permute(2, 3, 1, 0).flatten(0, 1))
        tap = Tap(Ref(f"deconvolved{j + 1}", 0, width), weight, up=2)
        _add_row(builder, f"deconvolved{j}" if j else "context", width, j, [tap], cast(Tensor, up.bias))
    if context_map.classes is not None:
        _add_class(builder, context_map.classes.weight)
    _rectify(builder, "context", width)


def _add_row(builder: "PixelRNNBuilder", name: str, width: int, level: int, taps: list[Tap], bias: Tensor) -> None:
    builder.features.append(Feature(name, width, level=level))
    builder.row.append(Affine(Ref(name, 0, width), tuple(taps), builder.put(f"{name}.bias", bias)))


def _rectify(builder: "PixelRNNBuilder", name: str, width: int) -> None:
    builder.row.append(Pointwise("relu", (Ref(name, 0, width),), (Ref(name, 0, width),)))


def _add_class(builder: "PixelRNNBuilder", weight: Tensor) -> None:
    width, num_classes = weight.shape
    builder.features += [Feature("class", num_classes, "given_vector"), Feature("of class", width, "vector")]
    of_class, context = Ref("of class", 0, width), Ref("context", 0, width)
    builder.admit.append(Affine(of_class, (Tap(Ref("class", 0, num_classes), builder.put("class.weight", weight)),)))
    builder.row.append(Pointwise("add", (context,), (context, of_class)))
