"""The engine as a machine: who joins when, what comes out in which order, what is refused."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from engine.draw import draw
from engine.engine import Engine, Interpreter
from engine.request import Drawn, DrawRequest, RequestRejected, RowDrawn
from models.gated_pixelcnn import GatedPixelCNN
from models.program import Program
from tests import devices
from tests.engine.native import build_or_skip


@pytest.fixture(params=["torch", "native"])
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    if request.param == "native":
        build_or_skip()
    kind: Interpreter = request.param
    return kind


@pytest.fixture(scope="module")
def program() -> Program:
    torch.manual_seed(0)
    return GatedPixelCNN(1, 4, 8, [1], head_width=8, num_classes=2).program()


LARGE = (24, 32)
"""Height and width of an image that takes either interpreter a dozen steps."""


def request(name: str, height: int = 3, width: int = 4, **changes: object) -> DrawRequest:
    context = np.array([1, 0], np.float32)
    return replace(DrawRequest(name, name, height, width, 5, 0, context=context), **changes)  # type: ignore[arg-type]


def finish(engine: Engine) -> list[RowDrawn | Drawn]:
    outputs = []
    while engine.busy:
        outputs += engine.step()
    return outputs


def test_rows_come_in_order_and_the_image_last(program: Program, interpreter: Interpreter) -> None:
    engine = Engine(program, 4, devices.DEVICE, interpreter=interpreter)
    engine.add(request("a"))
    outputs = finish(engine)
    assert [(type(o), getattr(o, "row", None)) for o in outputs] == [
        (RowDrawn, 0),
        (RowDrawn, 1),
        (RowDrawn, 2),
        (Drawn, None),
    ]
    *rows, image = outputs
    assert isinstance(image, Drawn)
    np.testing.assert_array_equal(np.stack([row.values for row in rows]), image.values)
    assert sum(row.log_prob for row in rows) == pytest.approx(image.log_prob, abs=1e-9)


def test_more_requests_than_slots_all_finish_and_a_late_one_joins(program: Program, interpreter: Interpreter) -> None:
    engine = Engine(program, 4, devices.DEVICE, interpreter=interpreter)
    for k in range(6):
        engine.add(request(f"a{k}", *LARGE, sample=k, group="a"))
    for _ in range(5):
        engine.step()
    engine.add(request("late", *LARGE))
    finished = [o.id for o in finish(engine) if isinstance(o, Drawn)]
    assert sorted(finished) == ["a0", "a1", "a2", "a3", "a4", "a5", "late"]
    assert finished.index("late") < finished.index("a5"), "a group of many held back a group of one"


def test_images_of_several_sizes_are_drawn_side_by_side(program: Program, interpreter: Interpreter) -> None:
    engine = Engine(program, 4, devices.DEVICE, interpreter=interpreter)
    sizes = {"a": (3, 4), "b": (1, 1), "c": (2, 9), "d": (7, 1)}
    for name, (height, width) in sizes.items():
        engine.add(request(name, height, width))
    shapes = {o.id: o.values.shape for o in finish(engine) if isinstance(o, Drawn)}
    assert shapes == {name: (*size, 1) for name, size in sizes.items()}
    engine.add(request("again"))
    assert len(finish(engine)) == 4


@pytest.mark.parametrize("steps", [0, 1, 5, 11])
def test_a_cancelled_request_leaves_nothing_and_disturbs_nobody(
    program: Program, interpreter: Interpreter, steps: int
) -> None:
    alone = Engine(program, 4, devices.DEVICE, interpreter=interpreter)
    alone.add(request("b", *LARGE, sample=1))
    expected = next(o for o in finish(alone) if isinstance(o, Drawn))
    engine = Engine(program, 4, devices.DEVICE, interpreter=interpreter)
    engine.add(request("a", *LARGE))
    engine.add(request("b", *LARGE, sample=1))
    for _ in range(steps):
        engine.step()
    engine.cancel("a")
    engine.cancel("unknown")
    outputs = finish(engine)
    assert all(o.id == "b" for o in outputs)
    assert next(o for o in outputs if isinstance(o, Drawn)).values.tobytes() == expected.values.tobytes()


def test_cancelling_the_only_request_makes_the_engine_idle(program: Program, interpreter: Interpreter) -> None:
    engine = Engine(program, 4, devices.DEVICE, interpreter=interpreter)
    engine.add(request("a", *LARGE))
    engine.step()
    engine.cancel("a")
    assert not engine.busy and engine.step() == []


def test_known_pixels_come_back_unchanged_wherever_they_are(program: Program, interpreter: Interpreter) -> None:
    rng = np.random.default_rng(0)
    known = rng.integers(0, 4, (3, 4, 1)).astype(np.uint8)
    mask = rng.random((3, 4)) < 0.5
    engine = Engine(program, 4, devices.DEVICE, interpreter=interpreter)
    engine.add(request("a", known=known, mask=mask))
    image = next(o for o in finish(engine) if isinstance(o, Drawn))
    np.testing.assert_array_equal(image.values[mask], known[mask])
    assert image.log_prob < image.drawn_log_prob < 0


def test_sample_k_is_the_same_image_however_many_are_drawn(program: Program, interpreter: Interpreter) -> None:
    contexts = [np.array([0, 1], np.float32)] * 9
    many, _ = draw(program, 9, 3, 4, seed=11, contexts=contexts, num_slots=4, interpreter=interpreter)
    few, _ = draw(program, 2, 3, 4, seed=11, contexts=contexts, num_slots=8, interpreter=interpreter)
    np.testing.assert_array_equal(many[:2], few)
    assert len({image.tobytes() for image in many}) > 1


def test_a_low_temperature_draws_likelier_images(program: Program, interpreter: Interpreter) -> None:
    contexts = [np.array([0, 1], np.float32)] * 32
    _, hot = draw(program, 32, 6, 6, seed=1, contexts=contexts, temperature=1.0, interpreter=interpreter)
    _, cold = draw(program, 32, 6, 6, seed=1, contexts=contexts, temperature=0.2, interpreter=interpreter)
    assert cold.mean() > hot.mean()


LEVELS = np.zeros((3, 4, 1), np.uint8)
BAD = {
    "at least one pixel": {"height": 0},
    "temperature": {"temperature": 0.0},
    "positive number": {"temperature": float("nan")},
    "seed": {"seed": 2**64},
    "sample": {"sample": -1},
    "context must hold 2": {"context": None},
    "not 3": {"context": np.zeros(3, np.float32)},
    "come together": {"known": LEVELS},
    "known pixels must be": {"known": LEVELS[:2], "mask": np.ones((3, 4), bool)},
    "known levels must be uint8, not int64": {"known": LEVELS.astype(int) - 1, "mask": np.ones((3, 4), bool)},
    "known levels must be uint8, not float32": {
        "known": np.full_like(LEVELS, np.nan, np.float32),
        "mask": np.ones((3, 4), bool),
    },
    "levels must be below 4": {"known": LEVELS + 4, "mask": np.ones((3, 4), bool)},
    "context map": {"context_map": np.zeros((3, 4, 1), np.float32)},
}


@pytest.mark.parametrize(("message", "changes"), BAD.items())
def test_a_request_that_does_not_fit_is_refused(program: Program, message: str, changes: dict[str, object]) -> None:
    engine = Engine(program, num_slots=4)
    with pytest.raises(RequestRejected, match=message):
        engine.add(request("a", **changes))
    assert not engine.busy
