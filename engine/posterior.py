"""Inpainting from the posterior p(hole | all known pixels): Metropolis within Gibbs, as Theis & Bethge (2015) fill
holes, but with the exact likelihood ratio; every proposal is an ordinary completion.

An update draws a block B of the hole from the model's own conditionals, in raster order, with the rest of the image fed
as known: q(x'_B) = product over B of p(x'_i | x'_<i). So in the ratio p(x') q(x_B) / (p(x) q(x'_B)) the factors of B
cancel, and what is left is the change of log p of *all other* pixels: everything that the block can reach counts.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.engine import Engine
from engine.philox import uniforms
from engine.request import Drawn, DrawRequest, RequestRejected, Values

# As in the authors' code.
NUM_CANDIDATES = 5
BLOCK_SIDE, BLOCK_STRIDE = 5, 3
# The number that accepts an update lies above all those that drawing takes (`models.program.Head`), and above those of
# dequantisation, which begin at 2^16.
_ACCEPT_CHANNEL = np.uint64(1 << 17)

Mask = npt.NDArray[np.bool_]
Block = tuple[slice, slice]


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """All that a chain needs to go on after its start or after a sweep.

    Attributes:
        values: the canvas, [height, width, channels].
        num_accepted: updates so far that were accepted.
        trace: log p of the canvas in nats after the start and after each sweep so far.
    """

    values: Values
    num_accepted: int
    trace: tuple[float, ...]


class MarkovChain:
    """A Markov chain over the hole of one image. No clock, no thread: whoever owns it draws `request` and hands in what
    was drawn, until there is nothing left to draw.

    The start is the likeliest of five completions. A sweep then updates each block once. Image number s of a chain, be
    it a candidate or an update, is drawn at stage s of the random numbers' counter, so that everything is a function
    of (seed, sample, s): bitwise the same in any company and after a resume from any checkpoint.

    Args:
        engine: the one that is going to draw.
        request: a completion of the image at temperature 1; `sample` is the number of the chain.
        sweeps: how many there are to be.
        begun: where an earlier run has left off.

    Attributes:
        checkpoint: as of the end of the last sweep; its trace is empty before the start is done.

    Raises:
        RequestRejected: there is no such posterior.
    """

    def __init__(self, engine: Engine, request: DrawRequest, sweeps: int, begun: Checkpoint | None = None) -> None:
        shape = request.height, request.width
        self._hole = np.ones(shape, np.bool_) if request.mask is None else ~request.mask
        _check(engine, request, self._hole)
        self._completion, self._sweeps, self._blocks = request, sweeps, blocks_of(self._hole)
        self.checkpoint = begun or Checkpoint(np.empty(0), 0, ())
        self._num_accepted = self.checkpoint.num_accepted
        self._state: Drawn | None = None
        self._num_drawn = NUM_CANDIDATES + self.num_sweeps * len(self._blocks) if begun else 0

    @property
    def num_sweeps(self) -> int:
        """Sweeps that are done."""
        return max(0, len(self.checkpoint.trace) - 1)

    @property
    def acceptance_rate(self) -> float:
        """Share of the updates of all finished sweeps that were accepted; 0 before there are any."""
        return self.checkpoint.num_accepted / max(1, self.num_sweeps * len(self._blocks))

    @property
    def request(self) -> DrawRequest | None:
        """What to draw next; None when all sweeps are done."""
        if len(self.checkpoint.trace) == self._sweeps + 1:
            return None
        if self._num_drawn < NUM_CANDIDATES:
            return replace(self._completion, stage=self._num_drawn)
        if self._state is None:  # resumed: the canvas is fed once, for log p of its pixels
            return replace(self._completion, known=self.checkpoint.values, mask=np.ones_like(self._hole))
        mask = ~self._block_mask()
        return replace(self._completion, known=self._state.values, mask=mask, stage=self._num_drawn)

    def take(self, drawn: Drawn) -> bool:
        """What `request` gave; whether the start or a sweep is done by it.

        Raises:
            ArithmeticError: no candidate has a finite log p: the pixels of an unstable density grow without bound.
        """
        if self._num_drawn < NUM_CANDIDATES:
            self._begin_with(drawn)
        elif self._state is None:
            self._state = drawn
            return False
        else:
            self._update(self._state, drawn)
        self._num_drawn += 1
        num_updates = self._num_drawn - NUM_CANDIDATES
        if num_updates < 0 or num_updates % len(self._blocks):
            return False
        if self._state is None:
            raise ArithmeticError("the pixels outgrew float32 in every completion of the hole")
        trace = (*self.checkpoint.trace, self._state.log_prob)
        self.checkpoint = Checkpoint(self._state.values, self._num_accepted, trace)
        return True

    def _begin_with(self, candidate: Drawn) -> None:
        best = -math.inf if self._state is None else self._state.log_prob
        if math.isfinite(candidate.log_prob) and candidate.log_prob > best:
            self._state = candidate

    def _update(self, old: Drawn, new: Drawn) -> None:
        request = self._completion
        seed, sample, stage = (np.uint64(word) for word in (request.seed, request.sample, self._num_drawn))
        u = float(uniforms(np.array(seed), np.array(sample), np.array(0, np.uint64), np.array(_ACCEPT_CHANNEL), stage))
        if math.isfinite(new.log_prob) and math.log(u) < log_ratio(old, new, self._block_mask()):
            self._state = new
            self._num_accepted += 1

    def _block_mask(self) -> Mask:
        """Pixels of the hole in the block whose turn it is."""
        block = self._blocks[(self._num_drawn - NUM_CANDIDATES) % len(self._blocks)]
        mask = np.zeros_like(self._hole)
        mask[block] = self._hole[block]
        return mask


def log_ratio(old: Drawn, new: Drawn, block: Mask) -> float:
    """log of p(x') q(x_B) / (p(x) q(x'_B)) for images that differ in `block` [height, width] alone."""
    return float((new.log_probs - old.log_probs)[~block].sum())


def blocks_of(hole: Mask) -> Sequence[Block]:
    """Squares over the hole's bounding box, in raster order; overlapping, since the stride is less than the side.

    Every pixel of the hole lies in one of them, and each holds at least one.
    """
    starts = [_starts(np.flatnonzero(hole.any(axis))) for axis in (1, 0)]
    blocks = [(slice(r, r + BLOCK_SIDE), slice(c, c + BLOCK_SIDE)) for r in starts[0] for c in starts[1]]
    return [block for block in blocks if hole[block].any()]


def _starts(occupied: npt.NDArray[np.intp]) -> range:
    first, end = int(occupied[0]), int(occupied[-1]) + 1
    return range(first, max(first + 1, end - BLOCK_SIDE + BLOCK_STRIDE), BLOCK_STRIDE)


def _check(engine: Engine, request: DrawRequest, hole: Mask) -> None:
    if engine.stage:
        raise RequestRejected("a model that draws a coarse image first knows a bound on log p only: no posterior")
    if request.temperature != 1:
        raise RequestRejected("a posterior is drawn at temperature 1 only")
    if any(head.is_clipped for head in engine.program.heads):
        raise RequestRejected("clipped pixels are not drawn from the density: no posterior")
    if not hole.any():
        raise RequestRejected("there is no hole: every pixel is known")
