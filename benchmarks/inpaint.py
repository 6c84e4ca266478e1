"""A hole filled from the posterior: what a sweep costs, for one Markov chain and for several side by side."""

from collections.abc import Callable, Sequence

import numpy as np
import torch

from benchmarks.clock import seconds
from benchmarks.table import Findings, Table
from benchmarks.turns import alternate
from engine.draw import draw
from engine.engine import Engine
from engine.inpaint import inpaint
from engine.posterior import MarkovChain, blocks_of
from engine.request import DrawRequest
from models.ride import RIDE

UNITS, SIZE, HOLE, SWEEPS = 64, 64, 16, 2
CHAINS = (1, 4, 8)
MS = 1e3


def inpainting(_: Sequence[int], rounds: int) -> Findings:
    """One layer of 64 units over 12 neighbours, 32 components of 4 scales; random weights, an image of their own."""
    torch.manual_seed(0)
    program = RIDE(UNITS).eval().program()
    engine = Engine(program, num_slots=max(CHAINS))
    known, mask = draw(program, 1, SIZE, SIZE, seed=3)[0][0], np.ones((SIZE, SIZE), np.bool_)
    edge = (SIZE - HOLE) // 2
    mask[edge : edge + HOLE, edge : edge + HOLE] = False
    request = DrawRequest("", "", SIZE, SIZE, 1, 0, known=known, mask=mask)
    rates: dict[int, float] = {}

    def sweep(num_chains: int) -> Callable[[], float]:
        """Seconds a sweep of one chain: what is beyond the start of all chains."""

        def measure() -> float:
            start = seconds(lambda: inpaint(engine, request, num_chains, 0))
            found: list[MarkovChain] = []
            all_of_it = seconds(lambda: found.extend(inpaint(engine, request, num_chains, SWEEPS)))
            rates[num_chains] = float(np.mean([chain.acceptance_rate for chain in found]))
            return (all_of_it - start) / (num_chains * SWEEPS)

        return measure

    took = alternate({str(num): sweep(num) for num in CHAINS}, rounds)
    updates = len(blocks_of(~mask))
    rows = [
        (num, f"{took[str(num)]:.3f}", f"{took[str(num)] / updates * MS:.1f}", f"{rates[num]:.0%}") for num in CHAINS
    ]
    notes = (
        f"A hole of {HOLE}x{HOLE} in {SIZE}x{SIZE}, RIDE with {UNITS} units and 12 neighbours, native interpreter; "
        f"a sweep is {updates} updates, each a pass over the image. Processor time of one thread, median of {rounds} "
        "turns."
    )
    header = ("chains", "s a sweep of one chain", "ms an update", "accepted")
    return Findings([Table("RIDE: a hole from the posterior", header, rows, notes)])
