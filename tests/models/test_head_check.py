"""Heads that cannot draw are refused when the program is built."""

from dataclasses import replace

import pytest
import torch

from models.program import PIXEL, Affine, Feature, Head, Phase, Program, ProgramError, Ref

MCGSM_SHAPES = {
    "eta": (2, 3), "alpha": (2, 3), "beta": (2, 4), "b": (4, 5), "w": (2, 5), "A": (2, 5), "L": (2,),
    "limits": (2,),
}  # fmt: skip


def program(num_levels: int, heads: list[Head], level: int = 0) -> Program:
    """Every head's inputs are biases; `level` of their features."""
    refs = list(dict.fromkeys(ref for head in heads for ref in head.inputs))
    features = (Feature(PIXEL, heads[-1].stop), *(Feature(r.feature, r.stop, level=level) for r in refs))
    parameters = {r.feature: torch.zeros(r.stop) for r in refs} | {k: torch.ones(s) for k, s in MCGSM_SHAPES.items()}
    phases = [
        Phase("pixel", tuple(Affine(replace(r, dy=0, dx=0), (), r.feature) for r in head.inputs), group)
        for group, head in enumerate(heads)
    ]
    return Program(heads[-1].stop, num_levels, features, tuple(phases), tuple(heads), parameters)


def ref(width: int, name: str = "a", dy: int = 0) -> Ref:
    return Ref(name, 0, width, dy)


MCGSM = Head("mcgsm", (ref(5), ref(2, "b2")), 0, 1, tuple(MCGSM_SHAPES)[:7])


@pytest.mark.parametrize(
    ("num_levels", "heads"),
    [
        (2, [Head("bernoulli", (ref(1),), 0, 1)]),
        (7, [Head("categorical", (ref(7),), 0, 1), Head("logistic_mixture", (ref(9, "second"),), 1, 2)]),
        (2, [Head("logistic_mixture", (ref(3),), 0, 1)]),
        (256, [Head("logistic_mixture", (ref(20),), 0, 3)]),
        (0, [MCGSM]),
        (0, [replace(MCGSM, parameters=(*MCGSM.parameters, "limits"))]),
        (0, [MCGSM, replace(MCGSM, inputs=(ref(5, "c"), ref(2, "d")), start=1, stop=2)]),
    ],
)
def test_complete_heads_are_taken(num_levels: int, heads: list[Head]) -> None:
    assert program(num_levels, heads).is_density == (num_levels == 0)


@pytest.mark.parametrize(
    ("num_levels", "heads", "message"),
    [
        (1, [Head("categorical", (ref(1),), 0, 1)], "num_levels must be"),
        (257, [Head("categorical", (ref(257),), 0, 1)], "num_levels must be"),
        (3, [Head("bernoulli", (ref(1),), 0, 1)], "two levels"),
        (5, [Head("categorical", (ref(4),), 0, 1)], "widths"),
        (5, [Head("categorical", (ref(5),), 0, 3)], "one channel"),
        (5, [Head("logistic_mixture", (ref(4),), 0, 1)], "3K wide"),
        (5, [Head("logistic_mixture", (ref(9),), 0, 3)], "10K wide"),
        (5, [Head("logistic_mixture", (ref(6),), 0, 2)], "10K wide"),
        (5, [Head("logistic_mixture", (ref(3),), 0, 1, ("eta",))], "no parameters"),
        (5, [MCGSM], "does not draw levels"),
        (0, [Head("categorical", (ref(5),), 0, 1)], "does not draw floats"),
        (0, [replace(MCGSM, inputs=(ref(5),))], "two inputs"),
        (0, [replace(MCGSM, inputs=(ref(5), ref(3, "b3")))], "two inputs"),
        (0, [replace(MCGSM, inputs=(ref(4), ref(2, "b2")))], "shapes"),
        (0, [replace(MCGSM, parameters=(*MCGSM.parameters[:6], "eta"))], "shapes"),
        (0, [replace(MCGSM, parameters=("L", *MCGSM.parameters[1:]))], "matrices"),
        (0, [replace(MCGSM, parameters=MCGSM.parameters[:6])], "7 parameters"),
        (0, [replace(MCGSM, parameters=(*MCGSM.parameters, "eta"))], "shapes"),
        (0, [replace(MCGSM, stop=3)], "one channel"),
        (2, [Head("bernoulli", (ref(1, dy=-1),), 0, 1)], "current position"),
        (2, [Head("bernoulli", (ref(1),), 0, 1), Head("bernoulli", (ref(1, "second"),), 2, 3)], "in order"),
    ],
)
def test_incomplete_heads_are_refused(num_levels: int, heads: list[Head], message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        program(num_levels, heads)


def test_a_head_does_not_read_a_coarse_map_or_a_vector() -> None:
    with pytest.raises(ProgramError, match="level 0"):
        program(2, [Head("bernoulli", (ref(1),), 0, 1)], level=1)
    features = (Feature(PIXEL, 1), Feature("context", 1, "given_vector"))
    head = Head("bernoulli", (Ref("context", 0, 1),), 0, 1)
    with pytest.raises(ProgramError, match="maps of level 0"):
        Program(1, 2, features, (Phase("pixel", (), 0),), (head,), {})
