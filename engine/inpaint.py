"""Fill a hole from the posterior in one call: for scripts and tests. The service runs Markov chains itself."""

from collections.abc import Sequence
from dataclasses import replace

from engine.engine import Engine
from engine.posterior import MarkovChain
from engine.request import Drawn, DrawRequest


def inpaint(engine: Engine, completion: DrawRequest, num_chains: int, sweeps: int) -> list[MarkovChain]:
    """`num_chains` independent chains of an idle engine, each after `sweeps` sweeps over the hole of `completion`.

    The `checkpoint` of each holds its image and its trace. Chain k draws with the random numbers of sample k: it is
    the same however many there are.
    """
    chains = [MarkovChain(engine, replace(completion, id=str(k), sample=k), sweeps) for k in range(num_chains)]
    run(engine, chains)
    return chains


def run(engine: Engine, chains: Sequence[MarkovChain]) -> None:
    """Draw side by side what chains ask for, until they are done; their requests' ids are unique."""
    waiting = {request.id: chain for chain in chains if (request := chain.request)}
    for chain in waiting.values():
        _add(engine, chain)
    while engine.busy:
        for output in engine.step():
            if isinstance(output, Drawn):
                waiting[output.id].take(output)
                _add(engine, waiting[output.id])


def _add(engine: Engine, chain: MarkovChain) -> None:
    if request := chain.request:
        engine.add(request)
