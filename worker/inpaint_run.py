"""A completion with sweeps in the engine: Markov chains over the hole, saved after their start and every sweep."""

import json

from engine.engine import Engine
from engine.posterior import BLOCK_SIDE, BLOCK_STRIDE, NUM_CANDIDATES, Checkpoint, MarkovChain
from engine.request import Drawn, Output
from worker.attempt import Attempt
from worker.image_run import ImageRun
from worker.leases import Sweep
from worker.loaded_model import LoadedModel
from worker.receipts import receipt
from worker.scoring import density_rate, likelihood


class InpaintRun(ImageRun):
    """One attempt at `n` chains, each of which has one image at a time in the engine.

    A chain that an earlier attempt saved goes on from there, to the very bits that it would have had.
    """

    def __init__(self, attempt: Attempt, loaded: LoadedModel, engine: Engine) -> None:
        super().__init__(attempt, loaded, engine)
        self._chains: dict[int, MarkovChain] = {}

    def _begin(self, k: int) -> None:
        self._chains[k] = MarkovChain(self.engine, self._requests.fresh(k), self._request.sweeps, self._saved(k))
        self._go_on(k)

    def _take(self, k: int, output: Output) -> None:
        if not isinstance(output, Drawn):
            return
        chain = self._chains[k]
        try:
            if chain.take(output):
                self._save(k, chain.checkpoint)
        except ArithmeticError as error:
            return self._fail(f"{error}; give a smaller image, or keep more of it")
        self._go_on(k)

    def _go_on(self, k: int) -> None:
        if request := self._chains[k].request:
            self._ask(request)
        else:
            self._finish(k, self._result(k, self._chains[k]))

    def _save(self, k: int, checkpoint: Checkpoint) -> None:
        rows = len(checkpoint.trace) * self._request.canvas_height
        document = {"num_accepted": checkpoint.num_accepted, "trace": checkpoint.trace}
        self.attempt.add_sweep(Sweep(k, rows, checkpoint.values.tobytes(), json.dumps(document)))

    def _saved(self, k: int) -> Checkpoint | None:
        document = self.attempt.claim.chains[k]
        if document is None:
            return None
        saved = json.loads(document)
        return Checkpoint(self._requests.saved(k), saved["num_accepted"], tuple(saved["trace"]))

    def _result(self, k: int, chain: MarkovChain) -> dict[str, object]:
        request, trace = self._request, chain.checkpoint.trace
        told = receipt(request, k, self.engine.profile, "posterior", self._requests.context(k))
        how = {"candidates": NUM_CANDIDATES, "block_side": BLOCK_SIDE, "block_stride": BLOCK_STRIDE}
        return {
            **likelihood(request, trace[-1], request.num_dims),
            "conditioning": "posterior",
            "acceptance_rate": chain.acceptance_rate,
            "trace": [density_rate(x, request.num_dims) for x in trace] if request.is_density else list(trace),
            "receipt": told | {"sweeps": request.sweeps, **how},
        }
