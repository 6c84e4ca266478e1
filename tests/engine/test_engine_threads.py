"""Several threads of one engine on the native interpreter: every image is the one drawn alone, whoever draws it."""

import functools
import threading
from collections import Counter
from dataclasses import replace
from random import Random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.engine import Engine
from engine.native.library import NativeProgram
from engine.request import Drawn, DrawRequest, Output, RowDrawn
from models.gated_pixelcnn import GatedPixelCNN
from models.program import Program
from tests.engine.native import assert_same, run_lane
from tests.engine.native import built as built
from tests.engine.native import short_steps as short_steps

pytestmark = pytest.mark.usefixtures("short_steps")
SIZES = [(6, 7), (3, 21), (9, 4)]
NAMES = [str(number) for number in range(14)]


@functools.cache
def program() -> Program:
    torch.manual_seed(0)
    return GatedPixelCNN(1, 2, 24, [2], num_classes=3, head_width=16).eval().program()


def wanted(name: str) -> DrawRequest:
    """The image of a whole number; three of them make a group."""
    number = int(name)
    height, width = SIZES[number % len(SIZES)]
    context = np.eye(3, dtype=np.float32)[number % 3]
    return DrawRequest(name, str(number // 3), height, width, number, 1, context=context)


@functools.cache
def alone(name: str) -> Drawn:
    return run_lane(NativeProgram(program()), [wanted(name)], 1)[name]


def resumed(name: str, rows: list[RowDrawn]) -> DrawRequest:
    """The same image, with finished rows to feed."""
    request = wanted(name)
    known, mask = alone(name).values.copy(), np.zeros((request.height, request.width), np.bool_)
    known[len(rows) :] = 0
    for output in rows:
        np.testing.assert_array_equal(output.values, known[output.row])
        mask[output.row] = True
    return replace(request, known=known, mask=mask)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), num_threads=st.integers(1, 4), num_slots=st.integers(1, 5))
def test_an_image_does_not_depend_on_the_threads_that_draw(seed: int, num_threads: int, num_slots: int) -> None:
    """Any thread may be the next to step, with any room; images are taken back and go on from their finished rows."""
    rng = Random(seed)
    engine = Engine(program(), num_slots, interpreter="native", num_threads=num_threads)
    to_come, drawn = rng.sample(NAMES, len(NAMES)), dict[str, Drawn]()
    rows: dict[str, list[RowDrawn]] = {name: [] for name in NAMES}
    while to_come or engine.busy:
        for _ in range(min(len(to_come), rng.randint(0, 3))):
            engine.add(wanted(to_come.pop()))
        name = rng.choice(NAMES)
        if rng.random() < 0.3 and name not in to_come and name not in drawn:
            engine.cancel(name)
            engine.add(resumed(name, rows[name]))
        for output in engine.step(rng.randrange(num_threads), room=rng.randint(0, 2)):
            if isinstance(output, Drawn):
                assert output.id not in drawn, "drawn twice"
                drawn[output.id] = output
            elif output.row == len(rows[output.id]):
                rows[output.id].append(output)
    for name in NAMES:
        np.testing.assert_array_equal(drawn[name].values, alone(name).values)
        assert drawn[name].log_prob == alone(name).log_prob


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), num_threads=st.integers(2, 4))
def test_threads_at_the_same_time_draw_each_image_once(seed: int, num_threads: int) -> None:
    """Requests come, and some are canceled, while all threads draw."""
    rng = Random(seed)
    engine = Engine(program(), 3, interpreter="native", num_threads=num_threads)
    canceled, all_came = set(rng.sample(NAMES, 4)), threading.Event()
    outputs: list[list[Output]] = [[] for _ in range(num_threads)]

    def draw(thread: int) -> None:
        while not all_came.is_set() or engine.busy:
            outputs[thread] += engine.step(thread, room=1)

    threads = [threading.Thread(target=draw, args=(thread,)) for thread in range(num_threads)]
    for thread in threads:
        thread.start()
    for name in rng.sample(NAMES, len(NAMES)):
        engine.add(wanted(name))
        if canceled and rng.random() < 0.5:
            engine.cancel(rng.choice(sorted(canceled)))
    for name in canceled:
        engine.cancel(name)
    all_came.set()
    for thread in threads:
        thread.join()
    images = [output for of_thread in outputs for output in of_thread if isinstance(output, Drawn)]
    for image in images:
        assert_same(image, alone(image.id))
    counts = Counter(image.id for image in images)
    assert set(counts.values()) == {1} and set(NAMES) - canceled <= set(counts) <= set(NAMES)
    assert engine.num_waiting == 0 and engine.num_running() == 0


def test_a_thread_takes_no_more_than_it_has_room_for() -> None:
    engine = Engine(program(), 8, interpreter="native", num_threads=2)
    for name in ("0", "3", "6", "9"):
        engine.add(replace(wanted(name), height=60))
    engine.step(0, room=3)
    assert (engine.num_running(0), engine.num_running(1), engine.num_waiting) == (3, 0, 1)
    engine.step(0, room=0)
    engine.step(1, room=3)
    assert (engine.num_running(0), engine.num_running(1), engine.num_waiting) == (3, 1, 0)


def test_the_torch_interpreter_has_one_thread() -> None:
    assert Engine(program(), 4, interpreter="torch", num_threads=4).num_threads == 1
    with pytest.raises(IndexError):
        Engine(program(), 4, interpreter="torch", num_threads=4).step(1)
