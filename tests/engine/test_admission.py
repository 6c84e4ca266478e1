"""A model that looks ahead, or whose views differ, is not admitted."""

import copy
import functools
from collections.abc import Callable

import numpy as np
import pytest
import torch

from engine.admission import LogProbMap, NotAdmitted, check_admission, check_chain_admission
from engine.chain import engine_of
from engine.engine import Engine
from models.base import Model
from models.gated_pixelcnn import GatedPixelCNN
from models.multi_scale import MultiScale
from models.ride import RIDE
from tests.models.tiny import CHAINS, DENSITIES


def log_prob_map(model: Model) -> LogProbMap:
    return of_arrays(model.double().eval().log_prob_map)


def of_arrays(function: Callable[..., torch.Tensor]) -> LogProbMap:
    def run(levels, context):  # type: ignore[no-untyped-def]
        vector = None if context is None else torch.from_numpy(context).double()
        with torch.inference_mode():
            return function(torch.from_numpy(levels.copy()), vector).numpy()

    return run


def model(seed: int = 0, **changes: int) -> GatedPixelCNN:
    torch.manual_seed(seed)
    return GatedPixelCNN(**{"channels": 1, "num_levels": 3, "width": 6, "dilations": [1], "head_width": 6, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize("changes", [{}, {"num_classes": 4}, {"channels": 3}, {"num_levels": 2}, {"num_levels": 256}])
def test_an_honest_model_is_admitted(changes: dict[str, int]) -> None:
    honest = model(**changes)
    program = honest.program()
    check_admission(program, Engine(program, 4), log_prob_map(honest), 8, 7)


def test_a_model_that_sees_its_own_pixel_is_not_admitted() -> None:
    leaky = model()
    leaky.layers[0].horizontal.mask.fill_(1)  # mask A forgotten: the layer sees the pixel it predicts
    leaky.layers[1].horizontal = torch.nn.Conv2d(6, 12, (1, 3), padding=(0, 1))  # and the next one looks right
    program = model().program()
    with pytest.raises(NotAdmitted, match="not causal"):
        check_admission(program, Engine(program, 4), log_prob_map(leaky), 8, 8)


def test_a_step_program_of_other_weights_is_not_admitted() -> None:
    program = model(1).program()
    with pytest.raises(NotAdmitted, match="step program gives"):
        check_admission(program, Engine(program, 4), log_prob_map(model(0)), 8, 8)


def test_weights_that_overflow_are_not_admitted() -> None:
    broken = model()
    with torch.no_grad():
        broken.logits.weight.fill_(np.inf)
    program = model().program()
    with pytest.raises(NotAdmitted, match="not finite"):
        check_admission(program, Engine(program, 4), log_prob_map(broken), 8, 8)


@pytest.mark.parametrize("name", DENSITIES)
def test_an_honest_density_is_admitted(name: str) -> None:
    honest = DENSITIES[name].model()
    program = honest.program()
    check_admission(program, Engine(program, 4), log_prob_map(honest), 8, 7)


@pytest.mark.parametrize(("shift", "reason"), [(1, "step program gives"), (2, "not causal")])
def test_a_density_that_looks_too_far_right_is_not_admitted(shift: int, reason: str) -> None:
    """It takes itself, or the pixel after it, for its left neighbour."""
    leaky = DENSITIES["ride"].model()
    assert isinstance(leaky, RIDE)
    program, honest = leaky.program(), leaky.whitening.neighbours
    leaky.whitening.neighbours = lambda x: honest(x.roll(-shift, 2))  # type: ignore[method-assign]
    with pytest.raises(NotAdmitted, match=reason):
        check_admission(program, Engine(program, 4), log_prob_map(leaky), 8, 8)


def test_a_density_that_draws_no_numbers_is_not_admitted() -> None:
    broken = DENSITIES["mcgsm 5x5"].model()
    with torch.no_grad():
        next(broken.parameters()).fill_(np.nan)
    program = broken.program()
    with pytest.raises(NotAdmitted, match="not finite"):
        check_admission(program, Engine(program, 4), log_prob_map(broken), 8, 8)


def chain_maps(chain: MultiScale) -> tuple[list[LogProbMap], LogProbMap]:
    """Of each stage, the second given black images, and of both together."""
    exact = copy.deepcopy(chain).double()
    black = torch.zeros(1, chain.channels, 4, 4, dtype=torch.uint8)
    stages = [exact.stage_map, functools.partial(exact.stage_map, given=black)]
    return [of_arrays(functools.partial(stage, k)) for k, stage in enumerate(stages)], of_arrays(exact.log_prob_map)


@pytest.mark.parametrize("name", ["grey binary", "rgb 3 levels", "rgb 3 levels, digits of the coarse image"])
def test_an_honest_chain_is_admitted(name: str) -> None:
    honest = CHAINS[name].model().float()
    assert isinstance(honest, MultiScale)
    check_chain_admission(honest.stages(), engine_of(honest.stages(), 4), *chain_maps(honest), 8, 7)


@pytest.mark.parametrize(("part", "reason"), [("small", "not causal"), ("large", "not causal"), ("upsample", "gives")])
def test_a_chain_with_a_fault_in_any_part_is_not_admitted(part: str, reason: str) -> None:
    faulty = CHAINS["grey binary"].model().float()
    assert isinstance(faulty, MultiScale)
    stages = faulty.stages()
    if part == "upsample":
        faulty.upsample.conv.weight.data.neg_()
    else:
        getattr(faulty, part).first.mask.fill_(1)  # the first convolution sees the pixel and those to its right
    with pytest.raises(NotAdmitted, match=reason):
        check_chain_admission(stages, engine_of(stages, 4), *chain_maps(faulty), 8, 7)
