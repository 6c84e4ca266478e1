"""The step program of a Diagonal BiLSTM: the right-to-left half of a row once it is finished, the rest per pixel."""

from typing import TYPE_CHECKING, cast

from models.program import Affine, Feature, Pointwise, Program, Ref, Tap
from models.recurrent_program import RecurrentBuilder

if TYPE_CHECKING:
    from models.context_map import ContextMap
    from models.diagonal_bilstm import DiagonalBiLSTM, DiagonalBiLSTMLayer


def build_program(model: "DiagonalBiLSTM", context_map: "ContextMap | None" = None) -> Program:
    """`model` as a step program.

    Layer l turns `x{l}` into `x{l+1}`. Left to right: gates `s{l}`, states `h{l}` and `c{l}`; right to left: gates
    `q{l}`, states `k{l}` and `e{l}`; `y{l}` is the sum of `h{l}` and `k{l}` one row above.
    """
    builder = RecurrentBuilder(model, context_map)
    for index, module in enumerate(model.layers):
        layer = cast("DiagonalBiLSTMLayer", module)
        _add_right_to_left(builder, index, layer)
        _add_left_to_right(builder, index, layer)
        h, k, y = (f"{letter}{index}" for letter in "hky")
        builder.features.append(Feature(y, layer.width))
        for group, ops in enumerate(builder.pixel[:-1]):
            own = builder.block(h, group)
            above = Ref(k, own.start, own.stop, -1)
            ops.append(Pointwise("add", (builder.block(y, group),), (own, above)))
        builder.outputs(index, y)
    return builder.close()


def _add_right_to_left(builder: RecurrentBuilder, index: int, layer: "DiagonalBiLSTMLayer") -> None:
    """All groups at once, for the row is finished: gates stay in the order o, f, i, g."""
    x, q, k, e = (f"{letter}{index}" for letter in "xqke")
    width = layer.width
    builder.state(k, layer.initial_hidden[1], top=True, right=True)
    builder.state(e, layer.initial_cell[1], right=True)
    taps = (
        Tap(Ref(x, 0, 2 * width), builder.put(f"{q}.here", layer.inputs_weight[1] * layer.mask)),
        Tap(Ref(k, 0, width, 0, 1), builder.put(f"{q}.right", layer.state_weight[1, 0])),
        Tap(Ref(k, 0, width, -1, 0), builder.put(f"{q}.above", layer.state_weight[1, 1])),
    )
    ops = builder.row_reverse
    builder.features.append(Feature(q, 4 * width))
    gates = Ref(q, 0, 4 * width)
    ops.append(Affine(gates, taps, builder.put(f"{q}.bias", layer.inputs_bias[1])))
    if layer.condition is not None:
        builder.condition(q, f"{q}.context", layer.condition.weight[4 * width :], ops)
    builder.cell(ops, gates, Ref(k, 0, width), Ref(e, 0, width), dx=1)


def _add_left_to_right(builder: RecurrentBuilder, index: int, layer: "DiagonalBiLSTMLayer") -> None:
    x, s, h, c = (f"{letter}{index}" for letter in "xshc")
    width = layer.width
    builder.state(h, layer.initial_hidden[0], top=True, left=True)
    builder.state(c, layer.initial_cell[0], left=True)
    left, above = (builder.by_group(weight) for weight in layer.state_weight[0])
    tap = Tap(Ref(h, 0, width, -1, 0), builder.put(f"{s}.above", above))
    condition = None if layer.condition is None else layer.condition.weight[: 4 * width]
    builder.gates(s, (tap,), layer.inputs_bias[0], condition)
    weight = builder.by_group(layer.inputs_weight[0] * layer.mask)
    for group, ops in enumerate(builder.pixel[:-1]):
        own, seen = builder.block(s, group), 2 * width * (group + 1) // builder.groups
        rows = slice(own.start, own.stop)
        taps = (
            Tap(Ref(h, 0, width, 0, -1), builder.put(f"{s}.left.{group}", left[rows])),
            Tap(Ref(x, 0, seen), builder.put(f"{s}.here.{group}", weight[rows, :seen])),
        )
        ops.append(Affine(own, taps, accumulate=True))
        builder.cell(ops, own, builder.block(h, group), builder.block(c, group), dx=-1)
