"""Recurrent layers as they are written without a plan: one cell a row or a diagonal, in the graph of autograd.

The same states as the layers of `models`, from the same weights; what the layers' own scan gains is measured by them.
"""

import torch
from torch import Tensor

from models.diagonal_bilstm import DiagonalBiLSTMLayer
from models.row_lstm import RowLSTMLayer

State = tuple[Tensor, Tensor]


def cell(gates: Tensor, before: Tensor) -> State:
    """Hidden and cell state [..., h] from gates [..., 4h] in the order o, f, i, g."""
    o, f, i, g = gates.chunk(4, -1)
    after = torch.sigmoid(f) * before + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(after), after


def row_lstm(layer: RowLSTMLayer, x: Tensor) -> Tensor:
    """States [row, col, batch, h] of maps x [row, col, batch, 2h], a row a step."""
    _, cols, batch, _ = x.shape
    weight = layer.state.weight[:, :, 0].permute(2, 1, 0).flatten(0, 1)
    hidden, memory = (state.expand(cols, batch, -1) for state in (layer.initial_hidden, layer.initial_cell))
    edge, states = layer.initial_hidden.expand(1, batch, -1), []
    for inputs in layer.inputs(x):
        wide = torch.cat([edge, hidden, edge])
        neighbours = torch.cat([wide[:-2], wide[1:-1], wide[2:]], -1)
        hidden, memory = cell(inputs + neighbours @ weight, memory)
        edge = torch.zeros_like(edge)
        states.append(hidden)
    return torch.stack(states)


def diagonal_bilstm(layer: DiagonalBiLSTMLayer, x: Tensor) -> Tensor:
    """States [row, col, batch, h] of maps x [row, col, batch, 2h]: the map is skewed, then a column a step."""
    left = _one_way(layer, 0, x)
    right = _one_way(layer, 1, x.flip(1)).flip(1)
    above = layer.initial_hidden[1].expand(1, *right.shape[1:])
    return left + torch.cat([above, right[:-1]])


def _one_way(layer: DiagonalBiLSTMLayer, direction: int, x: Tensor) -> Tensor:
    rows, cols, batch, _ = x.shape
    inputs = x @ (layer.inputs_weight[direction] * layer.mask).T + layer.inputs_bias[direction]
    own, above = layer.state_weight[direction].transpose(1, 2)
    first = layer.initial_hidden[direction].expand(rows, batch, -1)
    hidden, memory = first, layer.initial_cell[direction].expand(rows, batch, -1)
    row = torch.arange(rows)
    columns = []
    for t in range(rows + cols - 1):
        gates = inputs[row, (t - row).clamp(0, cols - 1)] + hidden @ own
        gates = gates + torch.cat([first[:1], hidden[:-1]]) @ above
        has_begun = (row <= t)[:, None, None]
        after, memory_after = cell(gates, memory)
        hidden, memory = torch.where(has_begun, after, hidden), torch.where(has_begun, memory_after, memory)
        columns.append(hidden)
    skewed = torch.stack(columns, 1)
    return torch.stack([skewed[r, r : r + cols] for r in range(rows)])
