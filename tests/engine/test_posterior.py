"""The chain over a hole as a machine: its ratio for every architecture; company, resumes; what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.chain import engine_of
from engine.engine import Engine, Interpreter
from engine.inpaint import inpaint, run
from engine.philox import uniforms
from engine.posterior import BLOCK_SIDE, NUM_CANDIDATES, MarkovChain, blocks_of
from engine.request import DrawRequest, RequestRejected
from models.base import Model
from models.mcgsm_program import clipped
from models.ride import RIDE
from tests.engine.holes import draw_one, hole_in
from tests.engine.native import build_or_skip
from tests.models.tiny import CHAINS, DENSITIES, TINY, Tiny, told_of

ARCHITECTURES = TINY | DENSITIES
every_architecture = pytest.mark.parametrize("tiny", ARCHITECTURES.values(), ids=ARCHITECTURES.keys())


@pytest.fixture(params=["torch", "native"])
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    if request.param == "native":
        build_or_skip()
    kind: Interpreter = request.param
    return kind


@every_architecture
def test_updates_are_accepted_by_the_ratio_that_the_model_says(tiny: Tiny, interpreter: Interpreter) -> None:
    """p(x') q(x_B) / (p(x) q(x'_B)), every factor from the parallel pass, over whole images."""
    model, engine, mask, request = example(tiny, interpreter)
    chain, decisions = MarkovChain(engine, request, 2), []
    while step := chain.request:
        drawn = draw_one(engine, step)
        chain.take(drawn)
        if step.stage >= NUM_CANDIDATES and chain.request:
            assert step.known is not None and step.mask is not None
            assert not (~step.mask & mask).any() and (~step.mask).any(), "only pixels of the hole are drawn"
            old, new = (log_prob_map(model, tiny, values) for values in (step.known, drawn.values))
            log_q = (new - old)[~step.mask].sum()
            ratio = (new.sum() - old.sum()) - log_q
            u = uniforms(*(np.array(x, np.uint64) for x in (1, request.sample, 0, 1 << 17, step.stage)))
            assert abs(np.log(u) - ratio) > 1e-4, "too close to call: choose another seed"
            went_on = chain.request.known
            assert went_on is not None
            np.testing.assert_array_equal(went_on, drawn.values if np.log(u) < ratio else step.known)
            decisions.append(bool(np.log(u) < ratio))
    assert len(decisions) == 2 * len(blocks_of(~mask)) - 1
    assert chain.acceptance_rate * (len(decisions) + 1) - sum(decisions) in (0, 1)


@every_architecture
def test_feeding_an_image_gives_log_p_of_its_pixels_to_the_bit(tiny: Tiny, interpreter: Interpreter) -> None:
    """A chain that is resumed weighs its canvas as the one that drew it did; and sums are those of the parts."""
    _, engine, mask, request = example(tiny, interpreter)
    drawn = draw_one(engine, request)
    fed = draw_one(engine, replace(request, known=drawn.values, mask=np.ones_like(mask), stage=3))
    np.testing.assert_array_equal(fed.log_probs, drawn.log_probs)
    assert fed.log_prob == drawn.log_prob == pytest.approx(drawn.log_probs.sum(), abs=1e-9)
    assert drawn.drawn_log_prob == pytest.approx(drawn.log_probs[~mask].sum(), abs=1e-9)


def example(tiny: Tiny, interpreter: Interpreter) -> tuple[Model, Engine, np.ndarray, DrawRequest]:
    """An engine that draws as many slots as torch needs, and a hole of two blocks in an image of 3 x 9."""
    model = tiny.model()
    mask = hole_in(3, 9, np.s_[:2, 1:4], np.s_[1, 3:8])
    context = tiny.context(model, 1, *mask.shape)
    request = DrawRequest("", "", 3, 9, 1, 0, **told_of(None if context is None else context[0]))
    engine = Engine(model.program(), 4, interpreter=interpreter)
    known = draw_one(engine, replace(request, seed=9)).values
    return model, engine, mask, replace(request, known=known, mask=mask)


def log_prob_map(model: Model, tiny: Tiny, values: np.ndarray) -> np.ndarray:
    """[height, width, channels] in nats."""
    context = tiny.context(model, 1, *values.shape[:2])
    with torch.no_grad():
        maps = model.log_prob_map(torch.from_numpy(values.copy()).movedim(-1, 0)[None], context)
    return maps[0].movedim(0, -1).double().numpy()


SWEEPS = 3
MODELS = ["row-lstm grey 3 levels by class, skip", "gated-pixelcnn rgb 3 levels", "ride 2 layers"]


@pytest.mark.parametrize("name", MODELS)
def test_a_chain_is_the_same_alone_in_company_and_after_every_resume(name: str, interpreter: Interpreter) -> None:
    _, engine, _, request = example(ARCHITECTURES[name], interpreter)
    alone, checkpoints = MarkovChain(engine, replace(request, sample=2), SWEEPS), []
    while step := alone.request:
        if alone.take(draw_one(engine, step)):
            checkpoints.append(alone.checkpoint)
    assert [len(checkpoint.trace) for checkpoint in checkpoints] == [1, 2, 3, 4]
    company = inpaint(engine, request, 6, SWEEPS)
    resumed = [
        MarkovChain(engine, replace(request, id=str(k), sample=2), SWEEPS, begun) for k, begun in enumerate(checkpoints)
    ]
    run(engine, resumed)
    for chain in (company[2], *resumed):
        assert chain.checkpoint.values.tobytes() == alone.checkpoint.values.tobytes()
        assert chain.checkpoint.trace == alone.checkpoint.trace
        assert chain.acceptance_rate == alone.acceptance_rate
    assert len({chain.checkpoint.values.tobytes() for chain in company}) > 1, "chains differ"


def test_the_start_is_the_likeliest_of_five_completions(interpreter: Interpreter) -> None:
    _, engine, _, request = example(ARCHITECTURES["ride"], interpreter)
    (chain,) = inpaint(engine, request, 1, 0)
    candidates = [draw_one(engine, replace(request, stage=stage)) for stage in range(5)]
    best = max(candidates, key=lambda candidate: candidate.log_prob)
    assert chain.checkpoint.values.tobytes() == best.values.tobytes()
    assert chain.checkpoint.trace == (best.log_prob,) and chain.acceptance_rate == 0


def test_an_image_without_known_pixels_is_a_hole(interpreter: Interpreter) -> None:
    _, engine, mask, request = example(ARCHITECTURES["ride"], interpreter)
    (chain,) = inpaint(engine, replace(request, known=None, mask=None), 1, 1)
    assert chain.checkpoint.values.shape == (*mask.shape, 1) and len(chain.checkpoint.trace) == 2


HOLES = [
    (hole_in(64, 64, np.s_[24:40, 20:36]), 25),
    (hole_in(9, 9, np.s_[2:7, 4:9]), 1),
    (hole_in(9, 9, np.s_[4, 4]), 1),
    (hole_in(9, 9, np.s_[0, 0], np.s_[8, 8]), 2),
    (hole_in(5, 11, np.s_[1, :]), 3),
]


@pytest.mark.parametrize(("mask", "count"), HOLES)
def test_blocks_cover_the_hole_and_none_is_empty(mask: np.ndarray, count: int) -> None:
    blocks = blocks_of(~mask)
    covered = np.zeros_like(mask)
    for block in blocks:
        covered[block] = True
        assert not mask[block].all() and max(mask[block].shape) <= BLOCK_SIDE
    assert covered[~mask].all() and len(blocks) == count


def test_a_density_whose_pixels_outgrow_their_type_has_no_start() -> None:
    model = RIDE(5, 1, 5, 3, 2, 4)
    model.whitening.predictor.fill_(1e9)
    engine = Engine(model.program(), 4, interpreter="torch")
    with pytest.raises(ArithmeticError, match="outgrew float32"):
        inpaint(engine, DrawRequest("", "", 1, 40, 1, 0), 1, 1)


def test_what_has_no_posterior_is_refused() -> None:
    _, engine, mask, request = example(ARCHITECTURES["ride"], "torch")
    with pytest.raises(RequestRejected, match="temperature 1 only"):
        MarkovChain(engine, replace(request, temperature=0.5), 1)
    with pytest.raises(RequestRejected, match="no hole"):
        MarkovChain(engine, replace(request, mask=np.ones_like(mask)), 1)
    with pytest.raises(RequestRejected, match="clipped"):
        MarkovChain(Engine(clipped(engine.program, 0, 1), interpreter="torch"), request, 1)
    stages = CHAINS["grey binary"].model().stages()
    with pytest.raises(RequestRejected, match="coarse image"):
        MarkovChain(engine_of(stages, interpreter="torch"), DrawRequest("", "", 4, 8, 1, 0), 1)
