"""The PixelRNN family a second time: numpy, pixel by pixel, from the equations and conventions in the docstrings."""

from typing import Any

import numpy as np

Array = np.ndarray[Any, np.dtype[np.float64]]
Weights = dict[str, Array]


def log_prob(architecture: str, sizes: dict[str, Any], p: Weights, image: Array, context: Array | None) -> float:
    """log p of one image [channel, row, col] of levels, in nats.

    `p`: the state dict; `context`: [size], or [row, col, size] of every pixel's own, or None.
    """
    groups, num_levels = sizes["channels"], sizes["num_levels"]
    coded = np.moveaxis(2 * image / (num_levels - 1) - 1, 0, -1)
    if sizes["digits"]:
        coded = np.array([[with_digits(pixel, num_levels) for pixel in row] for row in np.moveaxis(image, 0, -1)])
    x = _conv(coded, p["first.weight"], p["first.bias"], groups, strict=True)
    if sizes["direct"]:
        x = x + context @ p["first_condition.weight"].T
    layer = {"pixel_cnn": _residual_block, "row_lstm": _row_lstm, "diagonal_bilstm": _diagonal_bilstm}[architecture]
    output = np.zeros_like(x)
    for index in range(len(sizes["dilations"]) if architecture == "pixel_cnn" else sizes["num_layers"]):
        own = {name.removeprefix(f"layers.{index}."): w for name, w in p.items() if name.startswith(f"layers.{index}.")}
        states = layer(x, own, groups, sizes, index, context)
        if sizes.get("skip"):
            output = output + _pointwise(states, own["skip.weight"], own["skip.bias"], groups)
        x = _pointwise(states, own["up.weight"], own["up.bias"], groups) + (x if sizes.get("residual", True) else 0)
    hidden = _pointwise(np.maximum(x + output, 0), p["hidden.weight"], p["hidden.bias"], groups)
    if sizes["direct"]:
        hidden = hidden + context @ p["hidden_condition.weight"].T
    logits = _pointwise(np.maximum(hidden, 0), p["logits.weight"], p["logits.bias"], groups)
    total = 0.0
    for channel, row, col in np.ndindex(image.shape):
        level = int(image[channel, row, col])
        if num_levels == 2:
            table = np.array([0.0, logits[row, col, channel]])
        else:
            table = logits[row, col, channel * num_levels : (channel + 1) * num_levels]
        total += float(table[level] - np.log(np.exp(table).sum()))
    return total


def with_digits(levels: Array, num_levels: int) -> list[float]:
    """What is told of one pixel: of each channel the coded level, then its binary digits from the right."""
    told = list[float]()
    for level in levels:
        places = f"{num_levels - 1:b}"
        told.append(2 * level / (num_levels - 1) - 1)
        told += [1.0 if digit == "1" else -1.0 for digit in reversed(f"{int(level):0{len(places)}b}")]
    return told


def _residual_block(
    x: Array, p: Weights, groups: int, sizes: dict[str, Any], index: int, context: Array | None
) -> Array:
    d = np.maximum(_pointwise(np.maximum(x, 0), p["down.weight"], p["down.bias"], groups), 0)
    u = _conv(d, p["conv.weight"], p["conv.bias"], groups, strict=False, dilation=sizes["dilations"][index])
    return np.maximum(u + _conditioned(p, context, x), 0)


def _row_lstm(x: Array, p: Weights, groups: int, sizes: dict[str, Any], index: int, context: Array | None) -> Array:
    rows, cols, width = x.shape[0], x.shape[1], sizes["width"]
    h = np.zeros((rows, cols, width))
    c = np.zeros((rows, cols, width))
    mask, conditioned = _gate_mask(2 * width, width, groups), _conditioned(p, context, x)
    for row, col in np.ndindex(rows, cols):
        gates = p["inputs.bias"] + conditioned[row, col]
        gates = gates + (p["inputs.weight"][:, :, 0, 1] * mask) @ x[row, col]
        if col > 0:
            gates = gates + p["inputs.weight"][:, :, 0, 0] @ x[row, col - 1]
        for j, neighbour in enumerate((col - 1, col, col + 1)):
            if row == 0:
                gates = gates + p["state.weight"][:, :, 0, j] @ p["initial_hidden"]
            elif 0 <= neighbour < cols:
                gates = gates + p["state.weight"][:, :, 0, j] @ h[row - 1, neighbour]
        h[row, col], c[row, col] = _lstm(gates, c[row - 1, col] if row else p["initial_cell"])
    return h


def _diagonal_bilstm(
    x: Array, p: Weights, groups: int, sizes: dict[str, Any], index: int, context: Array | None
) -> Array:
    rows, cols, width = x.shape[0], x.shape[1], sizes["width"]
    maps = []
    for way, ahead in enumerate((-1, 1)):
        h, c = np.zeros((rows, cols, width)), np.zeros((rows, cols, width))
        both = _conditioned(p, context, x)
        conditioned = both if context is None else np.split(both, 2, -1)[way]
        hidden, cell = p["initial_hidden"][way], p["initial_cell"][way]
        mask = _gate_mask(2 * width, width, groups)
        for row in range(rows):
            for col in range(cols) if way == 0 else reversed(range(cols)):
                inside = 0 <= col + ahead < cols
                gates = p["inputs_bias"][way] + conditioned[row, col] + (p["inputs_weight"][way] * mask) @ x[row, col]
                gates = gates + p["state_weight"][way, 0] @ (h[row, col + ahead] if inside else hidden)
                gates = gates + p["state_weight"][way, 1] @ (h[row - 1, col] if row else hidden)
                h[row, col], c[row, col] = _lstm(gates, c[row, col + ahead] if inside else cell)
        maps.append(h)
    shifted = np.concatenate([np.broadcast_to(p["initial_hidden"][1], (1, cols, width)), maps[1][:-1]])
    return np.asarray(maps[0] + shifted)


def _lstm(gates: Array, before: Array) -> tuple[Array, Array]:
    o, f, i, g = np.split(gates, 4)
    c = _sigmoid(f) * before + _sigmoid(i) * np.tanh(g)
    return _sigmoid(o) * np.tanh(c), c


def _sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def _conditioned(p: Weights, context: Array | None, x: Array) -> Array:
    """[row, col, out]; out is 1 without a context."""
    told = 0.0 if context is None else context @ p["condition.weight"].T
    return np.broadcast_to(told, (*x.shape[:2], np.shape(told)[-1] if np.ndim(told) else 1))


def _conv(x: Array, weight: Array, bias: Array, groups: int, strict: bool, dilation: int = 1) -> Array:
    rows, cols = x.shape[:2]
    out, mask = np.zeros((rows, cols, len(weight))), _mask(x.shape[2], len(weight), groups, strict)
    for row, col in np.ndindex(rows, cols):
        out[row, col] = bias
        for i, j in np.ndindex(weight.shape[2:]):
            up, right = weight.shape[2] - 1 - i, j - weight.shape[3] // 2
            source = row - up * dilation, col + right * dilation
            if (up == 0 and right > 0) or not (0 <= source[0] < rows and 0 <= source[1] < cols):
                continue
            tap = weight[:, :, i, j] * (mask if (up, right) == (0, 0) else 1)
            out[row, col] += tap @ x[source]
    return out


def _pointwise(x: Array, weight: Array, bias: Array, groups: int) -> Array:
    weight = weight.reshape(weight.shape[:2])
    return np.asarray(x @ (weight * _mask(weight.shape[1], len(weight), groups, False)).T + bias)


def _gate_mask(num_inputs: int, width: int, groups: int) -> Array:
    return np.concatenate([_mask(num_inputs, width, groups, False)] * 4)


def _mask(num_inputs: int, num_outputs: int, groups: int, strict: bool) -> Array:
    mask = np.zeros((num_outputs, num_inputs))
    for o, i in np.ndindex(num_outputs, num_inputs):
        mine, its = o // (num_outputs // groups), i // (num_inputs // groups)
        mask[o, i] = its < mine if strict else its <= mine
    return mask
