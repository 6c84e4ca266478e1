import asyncio

import pytest

from benchmarks.clients import Answer, as_answered, on_schedule, rate_between


def test_on_schedule_nobody_waits_for_an_answer() -> None:
    """The first request is answered only when the last has come."""
    asked = 0

    async def scenario() -> list[Answer]:
        all_asked = asyncio.Event()

        async def ask() -> None:
            nonlocal asked
            asked += 1
            if asked == 10:
                all_asked.set()
            await all_asked.wait()

        return await on_schedule(ask, 1, 1000.0, 0.01)

    answers = asyncio.run(scenario())
    assert len(answers) == asked == 10
    assert sorted(a.due for a in answers)[-1] - min(a.due for a in answers) == pytest.approx(0.009)


def test_as_answered_each_client_has_one_request_at_a_time() -> None:
    running, most = 0, 0

    async def ask() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    answers = asyncio.run(as_answered(ask, 3, 0.05))
    assert most == 3
    assert answers == sorted(answers, key=lambda answer: answer.done)


def test_a_rate_counts_the_gaps_between_answers() -> None:
    answers = [Answer(0.0, done) for done in (0.5, 1.0, 1.5, 2.0, 9.0)]
    assert rate_between(answers, 1.0, 3.0) == 2.0
    assert rate_between(answers, 3.0, 20.0) == 0.0
