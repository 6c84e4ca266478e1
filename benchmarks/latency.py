"""How long one image takes through the whole service: idle, beside a large job, beside a score."""

import asyncio
import base64
import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from benchmarks.affinity import pinned
from benchmarks.bare import BareEngine
from benchmarks.clients import Ask, as_answered, ask_for, connected, draw, first_row, one_after_another, rate_between
from benchmarks.nets import NET, NO_OP, SIZE
from benchmarks.statistic import percentile
from benchmarks.table import Table
from benchmarks.throughput import LOAD_S, MANY, WARM_UP_S

NUM_IDLE, NUM_ROWS, NUM_NO_OP, NUM_BESIDE = 40, 10, 200, 40
PAUSE_S = 0.03


async def added(url: str, bare: BareEngine, cores: set[int]) -> Table:
    """One image at a time from an idle service, against the bare engine on the worker's core, in turns."""
    async with connected(url) as client:
        through, alone = [], []
        for _ in range(NUM_IDLE):
            await asyncio.sleep(PAUSE_S)
            with pinned(cores):
                alone.append(bare.latency(SIZE))
            await asyncio.sleep(PAUSE_S)
            through += await one_after_another(lambda: draw(client, NET, SIZE), lambda num: num == 1)
    latencies = [answer.latency for answer in through]
    rows = []
    for p in (50, 95):
        http, engine = percentile(latencies, p), percentile(alone, p)
        rows.append((f"p{p}", _ms(http), _ms(engine), _ms(http - percentile(alone, 50))))
    notes = f"{NUM_IDLE} requests for one image, wall time; added: over the median of the bare engine."
    return Table("One image, idle service", ("", "HTTP, ms", "bare engine, ms", "added, ms"), rows, notes)


async def first_rows(url: str, _: BareEngine, __: set[int]) -> Table:
    """From asking to the first finished row in the event stream."""
    rows = []
    async with connected(url) as client:
        for size in (SIZE, 4 * SIZE):
            took = [await first_row(client, NET, size) for _ in range(NUM_ROWS)]
            rows.append((f"{size}x{size}", *_ms50_95(took)))
    return Table("Time to the first row", ("image", "p50 ms", "p95 ms"), rows, "Idle service, wall time.")


async def overhead(url: str, bare: BareEngine, cores: set[int]) -> Table:
    """A model of one map and images of one pixel: nothing but serving."""
    rows = []
    async with connected(url) as client:

        async def ask() -> None:
            await draw(client, NO_OP, 1)

        await ask()
        answers = await one_after_another(ask, lambda num: num == NUM_NO_OP)
        rows.append((1, *_ms50_95([a.latency for a in answers]), f"{rate_between(answers, 0, float('inf')):.0f}"))
        answers = await as_answered(ask, MANY, WARM_UP_S + LOAD_S / 2)
        settled = answers[0].due + WARM_UP_S
        latencies = [answer.latency for answer in answers if answer.due >= settled]
        rows.append((MANY, *_ms50_95(latencies), f"{rate_between(answers, settled, float('inf')):.0f}"))
    notes = (
        "One layer of one map, images of 1x1: drawing takes microseconds. Each client asks again as soon as answered."
    )
    return Table("A model that does nothing", ("clients", "p50 ms", "p95 ms", "requests/s"), rows, notes)


async def under(url: str, _: BareEngine, __: set[int]) -> Table:
    """One image at a time, alone, while a job of 64 images runs, and while 64 images are scored."""
    async with connected(url) as client:

        async def ask() -> None:
            await draw(client, NET, SIZE)

        async def large() -> None:
            await draw(client, NET, SIZE, n=MANY)

        async def score() -> None:
            await ask_for(client, "/v1/scores", {"model": NET, "images": _random_images(MANY)}, Prefer="wait=60")

        alone = [answer.latency for answer in await one_after_another(ask, lambda num: num == NUM_BESIDE)]
        beside = {"64 images drawn": await _beside(ask, large), "64 images scored": await _beside(ask, score)}
    rows = [("nothing", len(alone), *_ms50_95(alone), "")]
    for name, latencies in beside.items():
        delays = [_ms(percentile(latencies, p) - percentile(alone, p)) for p in (50, 95)]
        rows.append((name, len(latencies), *_ms50_95(latencies), " / ".join(delays)))
    header = ("at the same time", "requests", "p50 ms", "p95 ms", "delay p50 / p95, ms")
    return Table("One image beside other work", header, rows, "Through HTTP, wall time; one request after the other.")


async def _beside(ask: Ask, work: Ask) -> list[float]:
    """Latencies of requests that were answered while `work` ran, repeated until there are enough."""
    latencies: list[float] = []
    while len(latencies) < NUM_BESIDE:
        job = asyncio.ensure_future(work())
        await asyncio.sleep(2 * PAUSE_S)
        answers = await one_after_another(ask, lambda _, job=job: job.done())  # type: ignore[misc]
        await job
        latencies += [answer.latency for answer in answers[:-1]]  # the last one outlived the work
    return latencies


def _random_images(num: int) -> list[str]:
    """PNG files in base64, black and white."""
    files = []
    for image in np.random.default_rng(0).integers(0, 2, (num, SIZE, SIZE), np.uint8) * np.uint8(255):
        file = io.BytesIO()
        Image.fromarray(image).save(file, "PNG")
        files.append(base64.b64encode(file.getvalue()).decode())
    return files


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f}"


def _ms50_95(latencies: Sequence[float]) -> tuple[str, str]:
    return _ms(percentile(latencies, 50)), _ms(percentile(latencies, 95))
