"""Clients of the HTTP API: one after the other, many at once, on a schedule."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

TIMEOUT_S = 120.0
_seeds = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Answer:
    """When a request was due and when its answer was there, seconds of `time.perf_counter`."""

    due: float
    done: float

    @property
    def latency(self) -> float:
        return self.done - self.due


Ask = Callable[[], Awaitable[object]]


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    # Not httpx: with 64 requests under way its pool takes 1.3 ms of a core for each, a good part of what an image does.
    # The server closes connections that were idle for 5 s: none is to be used again at that very moment.
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2.0)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(url, connector=connector, timeout=timeout, raise_for_status=True) as client:
        yield client


def sample_body(model: str, size: int, n: int = 1) -> dict[str, Any]:
    """Of a request that no other has made."""
    return {"model": model, "n": n, "height": size, "width": size, "seed": next(_seeds)}


async def ask_for(client: aiohttp.ClientSession, path: str, body: dict[str, Any], **headers: str) -> Any:
    """POST; the answer's JSON."""
    async with client.post(path, json=body, headers=headers) as answer:
        return await answer.json()


async def draw(client: aiohttp.ClientSession, model: str, size: int, n: int = 1) -> str:
    """Draw and wait for the job's end; its id."""
    job = await ask_for(client, "/v1/samples", sample_body(model, size, n), Prefer="wait=60")
    if job["state"] != "succeeded":
        raise RuntimeError(f"a job ended as {job['state']}: {job.get('error')}")
    return str(job["id"])


async def draw_and_fetch(client: aiohttp.ClientSession, model: str, size: int) -> None:
    """What a user waits for: the finished job, and its picture."""
    job_id = await draw(client, model, size)
    async with client.get(f"/v1/jobs/{job_id}/images/0") as answer:
        await answer.read()


async def first_row(client: aiohttp.ClientSession, model: str, size: int) -> float:
    """Seconds from asking to the first event with rows; returns when the job has ended."""
    asked, found = time.perf_counter(), 0.0
    job = await ask_for(client, "/v1/samples", sample_body(model, size))
    async with client.get(f"/v1/jobs/{job['id']}/events") as events:
        async for line in events.content:
            if line.strip() == b"event: progress" and not found:
                found = time.perf_counter() - asked
    return found


async def one_after_another(ask: Ask, is_over: Callable[[int], bool]) -> list[Answer]:
    """Each request when the one before is answered, until `is_over` (of their number)."""
    answers: list[Answer] = []
    while not is_over(len(answers)):
        due = time.perf_counter()
        await ask()
        answers.append(Answer(due, time.perf_counter()))
    return answers


async def as_answered(ask: Ask, num_clients: int, seconds: float) -> list[Answer]:
    """Closed loop: every client asks again as soon as it is answered."""
    end = time.perf_counter() + seconds
    runs = [one_after_another(ask, lambda _: time.perf_counter() >= end) for _ in range(num_clients)]
    return sorted(itertools.chain(*await asyncio.gather(*runs)), key=lambda answer: answer.done)


async def on_schedule(ask: Ask, num_clients: int, rate: float, seconds: float) -> list[Answer]:
    """Open loop: every client asks `rate` / `num_clients` times a second, answered or not; evenly spread.

    Waits for all answers.
    """
    start = time.perf_counter()

    async def at(due: float) -> Answer:
        await ask()
        return Answer(due, time.perf_counter())

    # The clients' schedules, shifted against each other, are together one schedule of `rate` requests a second.
    tasks = []
    for k in range(max(num_clients, round(rate * seconds))):
        due = start + k / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(at(due)))
    return sorted(await asyncio.gather(*tasks), key=lambda answer: answer.done)


def rate_between(answers: list[Answer], start: float, end: float) -> float:
    """Answers a second from the first to the last that came between `start` and `end`; 0 if fewer than two did."""
    done = [answer.done for answer in answers if start <= answer.done <= end]
    return (len(done) - 1) / (done[-1] - done[0]) if len(done) > 1 else 0.0
