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


def anything(_: DrawRequest) -> bool:
    return True


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
    while request := scheduler.take(0, anything):
        order.append(request.id)
    assert order == taken
    assert scheduler.num_waiting == 0 and scheduler.num_running(0) == len(taken)


def test_only_what_fits_is_taken_and_the_rest_keeps_its_place() -> None:
    scheduler = scheduler_with(["n0", "a0", "a1"])
    wide = scheduler.take(0, lambda r: r.width == 5)
    assert wide is not None and wide.id == "a0"
    assert scheduler.sizes() == {(1, 2), (1, 5)}
    assert scheduler.take(0, lambda r: r.width == 9) is None
    assert [request.id for _ in range(2) if (request := scheduler.take(0, anything))] == ["n0", "a1"]


def test_a_canceled_request_is_never_taken() -> None:
    scheduler = scheduler_with(["a0", "b0"])
    for _ in range(2):
        scheduler.cancel("a0")
    taken = scheduler.take(0, anything)
    assert taken is not None and taken.id == "b0"
    assert scheduler.take(0, anything) is None
    assert scheduler.canceled(0) == []


def test_the_thread_that_draws_a_canceled_request_is_told_once_and_no_other() -> None:
    scheduler = scheduler_with(["a0", "b0"])
    scheduler.take(0, anything)
    scheduler.take(1, anything)
    scheduler.cancel("b0")
    assert (scheduler.num_running(0), scheduler.num_running(1), scheduler.num_running()) == (1, 0, 1)
    assert [scheduler.canceled(thread) for thread in (0, 1, 1)] == [[], ["b0"], []]


def test_a_request_that_comes_again_is_not_ended_by_the_thread_that_lost_it() -> None:
    scheduler = scheduler_with(["a0"])
    scheduler.take(0, anything)
    scheduler.cancel("a0")
    scheduler.add(DrawRequest("a0", "a", 1, 5, 0, 0))
    scheduler.take(1, anything)
    scheduler.end(0, "a0")
    assert scheduler.num_running(1) == 1
