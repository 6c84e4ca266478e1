"""A multi-scale PixelRNN a second time: numpy, number by number, from the equations in the docstrings."""

from typing import Any

import numpy as np

from tests.models.reference_pixel_rnn import Array, Weights, log_prob, with_digits


def log_probs(sizes: dict[str, Any], p: Weights, image: Array, context: Array | None) -> tuple[float, float]:
    """log p of the coarse image, and of `image` [channel, row, col] given it, in nats; arguments as `log_prob`."""
    zoom = 2 ** sizes["level"]
    small = image[:, ::zoom, ::zoom]
    told = _context_map(sizes, _part(p, "upsample"), small, context, image.shape[1:])
    return (
        log_prob(sizes["small"]["kind"], sizes | sizes["small"], _part(p, "small"), small, context),
        log_prob(sizes["large"]["kind"], sizes | sizes["large"], _part(p, "large"), image, told),
    )


def _part(p: Weights, name: str) -> Weights:
    return {key.removeprefix(f"{name}."): value for key, value in p.items() if key.startswith(f"{name}.")}


def _context_map(
    sizes: dict[str, Any], p: Weights, small: Array, context: Array | None, shape: tuple[int, ...]
) -> Array:
    coded = 2 * small / (sizes["num_levels"] - 1) - 1
    if sizes["map_digits"]:
        rows = [[with_digits(pixel, sizes["num_levels"]) for pixel in row] for row in np.moveaxis(small, 0, -1)]
        coded = np.moveaxis(np.array(rows), -1, 0)
    half = sizes["map_kernel"] // 2
    u = np.zeros((*small.shape[1:], sizes["map_width"]))
    for row, col in np.ndindex(small.shape[1:]):
        u[row, col] = p["conv.bias"]
        for dy, dx in np.ndindex(2 * half + 1, 2 * half + 1):
            y, x = row + dy - half, col + dx - half
            if 0 <= y < small.shape[1] and 0 <= x < small.shape[2]:
                u[row, col] += p["conv.weight"][:, :, dy, dx] @ coded[:, y, x]
    for index in range(sizes["level"]):
        weight, finer = p[f"ups.{index}.weight"], np.zeros((2 * u.shape[0], 2 * u.shape[1], u.shape[2]))
        for row, col in np.ndindex(finer.shape[:2]):
            taps = weight[:, :, row % 2, col % 2].T
            finer[row, col] = taps @ np.maximum(u[row // 2, col // 2], 0) + p[f"ups.{index}.bias"]
        u = finer
    told = 0.0 if context is None else p["classes.weight"] @ context
    vectors = np.maximum(u + told, 0)[: shape[0], : shape[1]]
    return np.concatenate([vectors, _cells(sizes, coded, shape)], -1) if sizes["map_cells"] else np.asarray(vectors)


def _cells(sizes: dict[str, Any], coded: Array, shape: tuple[int, ...]) -> Array:
    zoom, (channels, height, width) = 2 ** sizes["level"], coded.shape
    told = np.zeros((*shape, 5 * channels))
    for row, col in np.ndindex(*shape):
        for index, (dy, dx) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
            y, x = row // zoom + dy, col // zoom + dx
            if y < height and x < width:
                told[row, col, index * channels : (index + 1) * channels] = coded[:, y, x]
        if row % zoom == 0 and col % zoom == 0:
            told[row, col, 4 * channels :] = coded[:, row // zoom, col // zoom]
    return told
