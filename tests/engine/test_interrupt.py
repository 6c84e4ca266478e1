"""Patient steps: the same images in fewer steps; an interrupt waits for one pixel of each image."""

import functools

import torch

from engine.engine import Engine
from engine.interrupt import Interrupt
from engine.request import Drawn, DrawRequest, Output, RowDrawn
from models.gated_pixelcnn import GatedPixelCNN
from models.program import Program
from tests.engine.native import assert_same
from tests.engine.native import built as built

ROWS, COLUMNS = 12, 20


@functools.cache
def program() -> Program:
    torch.manual_seed(0)
    return GatedPixelCNN(1, 2, 8, [], head_width=8).eval().program()


def drawn(interrupt: Interrupt | None, is_set: bool = False) -> tuple[int, list[Output]]:
    """Steps until two images are done, and what came out of them."""
    engine = Engine(program(), 4, interpreter="native")
    for k in range(2):
        engine.add(DrawRequest(str(k), "", ROWS, COLUMNS, seed=7, sample=k))
    steps, outputs = 0, list[Output]()
    while engine.busy:
        if interrupt is not None and is_set:
            interrupt.set()
        steps, outputs = steps + 1, outputs + engine.step(interrupt=interrupt)
    return steps, outputs


def test_a_patient_step_goes_on_until_an_image_is_done_and_draws_the_same() -> None:
    short, patient = drawn(None), drawn(Interrupt())
    assert short[0] > 1 and patient[0] == 1
    for outputs in (short[1], patient[1]):
        assert [o.row for o in outputs if isinstance(o, RowDrawn) and o.id == "1"] == list(range(ROWS))
    images = [[o for o in outputs if isinstance(o, Drawn)] for outputs in (short[1], patient[1])]
    for one, other in zip(*images, strict=True):
        assert_same(one, other)


def test_an_interrupt_ends_a_patient_step_after_one_pixel_of_each_image() -> None:
    assert drawn(Interrupt(), is_set=True)[0] == ROWS * COLUMNS


def test_a_cleared_interrupt_no_longer_does() -> None:
    interrupt = Interrupt()
    interrupt.set()
    interrupt.clear()
    assert drawn(interrupt)[0] == 1
