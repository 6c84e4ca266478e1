"""What goes into an engine and what comes out of it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Levels = npt.NDArray[np.uint8]


class RequestRejected(ValueError):
    """The request does not fit the program: the caller's fault, never to be retried."""


@dataclass(frozen=True, slots=True, eq=False)
class DrawRequest:
    """One image to draw.

    Attributes:
        id: unique in the engine. group: requests of one group take turns with other groups for free slots.
        height, width: rows and columns.
        seed: 0..2^64-1, the key of the random numbers; sample: 0..2^32-1, which image of that seed.
        temperature: T > 0; each level is drawn from p^(1/T), renormalised.
        context: float [context_size], or None for an unconditional program.
        known: levels [height, width, channels]; mask: bool [height, width], True where `known` is fed, not drawn.
        context_map: float [height, width, size] for a program that is conditioned on a map.
    """

    id: str
    group: str
    height: int
    width: int
    seed: int
    sample: int
    temperature: float = 1.0
    context: npt.NDArray[np.float32] | None = None
    known: Levels | None = None
    mask: npt.NDArray[np.bool_] | None = None
    context_map: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class RowDrawn:
    """A finished row: levels [width, channels] and its log p in nats, at temperature 1, known pixels included."""

    id: str
    row: int
    values: Levels
    log_prob: float


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """A finished image: levels [height, width, channels].

    `log_prob` is log p of the whole image in nats at temperature 1; `drawn_log_prob` its part from pixels that were
    drawn, not known: for a hole at the end of the raster, log p of the completion given what was kept.
    """

    id: str
    values: Levels
    log_prob: float
    drawn_log_prob: float


Output = RowDrawn | Drawn
