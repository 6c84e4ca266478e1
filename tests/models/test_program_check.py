"""A program that is not well formed does not build, and says why."""

from collections.abc import Callable

import pytest
import torch

from models.program import PIXEL, Affine, Feature, Head, Operation, Phase, Pointwise, Program, ProgramError, Ref, Tap

PIXEL_REF = Ref(PIXEL, 0, 1)
MAP = Feature("map", 1, "given_map")


def program(
    row: tuple[Operation, ...] = (),
    pixel: tuple[Operation, ...] = (),
    after: tuple[Operation, ...] = (),
    reverse: tuple[Operation, ...] = (),
    features: tuple[Feature, ...] = (),
) -> Program:
    """A binary program with feature a (width 1), b (width 2) and the given operations; the logit is a constant."""
    fixed = (Feature(PIXEL, 1), Feature("a", 1), Feature("b", 2), Feature("coarse", 1, level=1), Feature("logit", 1))
    parameters = {"w": torch.ones(1, 1), "w2": torch.ones(2, 1), "one": torch.ones(1), "up": torch.ones(4, 1, 1)}
    logit = Affine(Ref("logit", 0, 1), (), "one")
    phases = (
        Phase("row", row),
        Phase("row_reverse", reverse),
        Phase("pixel", (*pixel, logit)),
        Phase("pixel", after, 1),
    )
    heads = (Head("bernoulli", (Ref("logit", 0, 1),), 0, 1),)
    return Program(1, 2, fixed + features, phases, heads, parameters)


def read(dy: int, dx: int, source: str = PIXEL, out: str = "a") -> Affine:
    return Affine(Ref(out, 0, 1), (Tap(Ref(source, 0, 1, dy, dx), "w"),))


WELL_FORMED: list[Callable[[], Program]] = [
    lambda: program(pixel=(read(0, -1),)),
    lambda: program(pixel=(read(-1, 3),)),
    lambda: program(row=(read(-1, 3),)),
    lambda: program(after=(read(0, 0),)),
    lambda: program(row=(read(-1, 0),), pixel=(read(0, 1, "a", "b"),)),
    lambda: program(reverse=(read(0, 5),), pixel=(read(-1, 2, "a", "b"),)),
    lambda: program(reverse=(read(0, 1, "a"),)),
    lambda: program(row=(read(5, -5, "map"),), pixel=(read(-3, 2, "map", "b"),), features=(MAP,)),
    lambda: program(row=(read(1, 1, "map"),), features=(Feature("map", 1, "given_map", 2),)),
]


@pytest.mark.parametrize("build", WELL_FORMED)
def test_reads_of_what_is_finished_are_allowed(build: Callable[[], Program]) -> None:
    build()


ILL_FORMED: dict[str, tuple[str, Callable[[], Program]]] = {
    "its own pixel": ("before it is computed", lambda: program(pixel=(read(0, 0),))),
    "the next pixel": ("before it is computed", lambda: program(after=(read(0, 1),))),
    "the next row": ("before it is computed", lambda: program(pixel=(read(1, -2),))),
    "the present row in a row phase": ("before it is computed", lambda: program(row=(read(0, -1),))),
    "the scan of this row": (
        "before it is computed",
        lambda: program(reverse=(read(0, 0),), pixel=(read(0, 0, "a", "b"),)),
    ),
    "left of a right-to-left scan": ("before it is computed", lambda: program(reverse=(read(0, -1, "a"),))),
    "a feature written later": ("before it is computed", lambda: program(pixel=(read(0, 0, "a", "b"), read(-1, 0)))),
    "a feature never written": ("never written", lambda: program(pixel=(read(-1, 0, "b"),))),
    "beside itself in a row": (
        "beside itself",
        lambda: program(row=(read(-1, 0), Affine(Ref("a", 0, 1), (Tap(Ref("a", 0, 1, 0, -1), "w"),), accumulate=True))),
    ),
    "unknown feature": ("unknown feature", lambda: program(pixel=(read(-1, 0, "x"),))),
    "channels outside": ("outside feature", lambda: program(pixel=(Affine(Ref("a", 0, 2), (), "one"),))),
    "weight of another shape": (
        "weight",
        lambda: program(pixel=(Affine(Ref("a", 0, 1), (Tap(Ref(PIXEL, 0, 1, -1), "w2"),)),)),
    ),
    "bias of another shape": ("bias", lambda: program(pixel=(Affine(Ref("b", 0, 2), (), "one"),))),
    "up-tap from the same level": (
        "stride",
        lambda: program(pixel=(Affine(Ref("a", 0, 1), (Tap(Ref(PIXEL, 0, 1, -1), "up", 2),)),)),
    ),
    "gate of odd widths": (
        "gate cannot",
        lambda: program(row=(read(-1, 0),), pixel=(Pointwise("gate", (Ref("b", 0, 1),), (Ref("a", 0, 1),)),)),
    ),
    "writing the pixel": ("given", lambda: program(after=(Affine(PIXEL_REF, (), "one"),))),
    "writing elsewhere": ("away from", lambda: program(pixel=(Affine(Ref("a", 0, 1, 0, 1), (), "one"),))),
    "two features of a name": ("same name", lambda: program(features=(Feature("a", 1),))),
    "a boundary of another width": ("boundary", lambda: program(features=(Feature("c", 2, top="one"),))),
    "a feature of no width": ("a channel or more", lambda: program(features=(Feature("v", 0, "given_vector"),))),
    "a level beyond all images": ("a level of 0 to", lambda: program(features=(Feature("c", 1, level=17),))),
    "a level below that of the image": ("a level of 0 to", lambda: program(features=(Feature("c", 1, level=-1),))),
    "a coarse vector": ("only maps have levels", lambda: program(features=(Feature("v", 1, "given_vector", 1),))),
    "a given map with a boundary": (
        "zero outside",
        lambda: program(features=(Feature("map", 1, "given_map", top="one"),)),
    ),
    "given maps of two levels": (
        "one level",
        lambda: program(features=(MAP, Feature("map2", 1, "given_map", 1))),
    ),
    "a vector at an offset": (
        "without offset",
        lambda: program(row=(read(0, 1, "v"),), features=(Feature("v", 1, "given_vector"),)),
    ),
    "a coarse map in a scan": (
        "not readable in the row_reverse phase",
        lambda: program(reverse=(read(0, 0, "map"),), features=(Feature("map", 1, "given_map", 1),)),
    ),
    "a coarse scan": ("level 0", lambda: program(reverse=(Affine(Ref("coarse", 0, 1), (), "one"),))),
}


@pytest.mark.parametrize(("message", "build"), ILL_FORMED.values(), ids=ILL_FORMED.keys())
def test_what_is_wrong_is_said(message: str, build: Callable[[], Program]) -> None:
    with pytest.raises(ProgramError, match=message):
        build()
