"""Arrivals against who is taken next."""

import pytest

from engine.request import DrawRequest
from engine.scheduler import Scheduler


def scheduler_with(names: list[str]) -> Scheduler:
    """Names are `group` + number; the group's first letter n makes a narrow image."""
    scheduler = Scheduler()
    for name in names:
        scheduler.add(DrawRequest(name, name[0], 1, 2 if name[0] == "n" else 5, 0, 0))
    return scheduler


@pytest.mark.parametrize(
    ("arrivals", "taken"),
    [
        (["a0", "a1", "a2"], ["a0", "a1", "a2"]),
        (["a0", "a1", "a2", "b0"], ["a0", "b0", "a1", "a2"]),
        (["a0", "a1", "b0", "b1", "c0"], ["a0", "b0", "c0", "a1", "b1"]),
        ([], []),
    ],
)
def test_groups_take_turns_in_order_of_arrival(arrivals: list[str], taken: list[str]) -> None:
    scheduler = scheduler_with(arrivals)
    order = []
    while request := scheduler.take(lambda _: True):
        order.append(request.id)
    assert order == taken
    assert len(scheduler) == 0


def test_only_what_fits_is_taken_and_the_rest_keeps_its_place() -> None:
    scheduler = scheduler_with(["n0", "a0", "a1"])
    wide = scheduler.take(lambda r: r.width == 5)
    assert wide is not None and wide.id == "a0"
    assert [r.id for r in scheduler] == ["n0", "a1"]
    assert scheduler.take(lambda r: r.width == 9) is None


def test_a_removed_request_is_never_taken() -> None:
    scheduler = scheduler_with(["a0", "b0"])
    assert scheduler.remove("a0") and not scheduler.remove("a0")
    assert [r.id for r in scheduler] == ["b0"]
