"""The step program of a Row LSTM: state-to-state once a row, input-to-state and the cell pixel by pixel."""

from typing import TYPE_CHECKING, cast

from torch import Tensor

from models.program import Affine, Program, Ref, Tap
from models.recurrent_program import RecurrentBuilder

if TYPE_CHECKING:
    from models.context_map import ContextMap
    from models.row_lstm import RowLSTM, RowLSTMLayer


def build_program(model: "RowLSTM", context_map: "ContextMap | None" = None) -> Program:
    """`model` as a step program. Layer l turns `x{l}` into `x{l+1}`: gates `s{l}`, states `h{l}` and `c{l}`."""
    builder = RecurrentBuilder(model, context_map)
    for index, module in enumerate(model.layers):
        _add_layer(builder, index, cast("RowLSTMLayer", module))
        builder.outputs(index, f"h{index}")
    return builder.close()


def _add_layer(builder: RecurrentBuilder, index: int, layer: "RowLSTMLayer") -> None:
    x, s, h, c = (f"{letter}{index}" for letter in "xshc")
    width = layer.width
    builder.state(h, layer.initial_hidden, top=True)
    builder.state(c, layer.initial_cell, top=True)
    state = builder.by_group(layer.state.weight)
    above = tuple(
        Tap(Ref(h, 0, width, -1, dx), builder.put(f"{s}.state.{dx + 1}", state[:, :, 0, dx + 1])) for dx in (-1, 0, 1)
    )
    condition = None if layer.condition is None else layer.condition.weight
    builder.gates(s, above, cast(Tensor, layer.inputs.bias), condition)
    weight = builder.by_group(layer.inputs.weight * layer.inputs.mask)[:, :, 0]
    for group, ops in enumerate(builder.pixel[:-1]):
        own, seen = builder.block(s, group), 2 * width * (group + 1) // builder.groups
        rows = slice(own.start, own.stop)
        left = Tap(Ref(x, 0, 2 * width, 0, -1), builder.put(f"{s}.left.{group}", weight[rows, :, 0]))
        here = Tap(Ref(x, 0, seen), builder.put(f"{s}.here.{group}", weight[rows, :seen, 1]))
        ops.append(Affine(own, (left, here), accumulate=True))
        builder.cell(ops, own, builder.block(h, group), builder.block(c, group), dy=-1)
