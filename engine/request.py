"""What goes into an engine and what comes out of it."""

from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.uint8]
Values = npt.NDArray[Any]
"""Pixels: uint8 levels, or float32 numbers of a density."""


def values_dtype(num_levels: int) -> type[np.uint8] | type[np.float32]:
    """What holds the pixels of a program with `num_levels` levels; 0 stands for a density."""
    return np.uint8 if num_levels else np.float32


class RequestRejected(ValueError):
    """The request does not fit the program: the caller's fault, never to be retried."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawRequest:
    """One image to draw.

    Attributes:
        id: unique in the engine. group: requests of one group take turns with other groups for free slots.
        height, width: rows and columns.
        seed: 0..2^64-1, the key of the random numbers; sample: 0..2^32-1, which image of that seed.
        temperature: T > 0; each level is drawn from p^(1/T), renormalised. A density takes 1 only.
        context: float [context_size], or None for an unconditional program.
        known: levels, or a density's float32 numbers, [height, width, channels]; mask: bool [height, width], True
            where `known` is fed, not drawn.
        context_map: float [rows, columns, size] for a program that is conditioned on a map; of level k, it has
            ceil(height / 2^k) rows and ceil(width / 2^k) columns.
        coarse: of a chain, the first rows of the image of the stage before, which an earlier run has drawn: fed, too.
        stage: 0..2^32-1, the last word of the random numbers' counter: which image this is of a chain of stages.
    """

    id: str
    group: str
    height: int
    width: int
    seed: int
    sample: int
    temperature: float = 1.0
    context: npt.NDArray[np.float32] | None = None
    known: Values | None = None
    mask: npt.NDArray[np.bool_] | None = None
    context_map: npt.NDArray[np.float32] | None = None
    coarse: Values | None = None
    stage: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class RowDrawn:
    """A finished row: values [width, channels], levels or a density's float32 numbers, and its log p in nats.

    log p is at temperature 1, known pixels included. `stage`: of a chain, which of its images the row belongs to.
    """

    id: str
    row: int
    values: Values
    log_prob: float
    stage: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A finished image: values [height, width, channels], uint8 levels or a density's float32 numbers.

    `log_probs`, float64 of the same shape, is log p of every sub-pixel given those before it, in nats at temperature 1,
    and `log_prob` that of the whole image; `drawn_log_prob` is its part from pixels that were drawn, not known: for a
    hole at the end of the raster, log p of the completion given what was kept. Of a chain these two are sums over its
    stages, and `coarse` is the image of the stage before.
    """

    id: str
    values: Values
    log_probs: npt.NDArray[np.float64]
    log_prob: float
    drawn_log_prob: float
    coarse: Values | None = None


Output = RowDrawn | Drawn


class Told(TypedDict, total=False):
    """The fields of a `DrawRequest` that hold its context."""

    context: npt.NDArray[np.float32]
    context_map: npt.NDArray[np.float32]


def told(context: npt.NDArray[np.float32] | None) -> Told:
    """Of a context that is a vector [size], a map [row, column, size], or None."""
    if context is None:
        return {}
    return {"context": context} if context.ndim == 1 else {"context_map": context}
