"""Images a second through the whole service, beside the bare engine on the worker's core."""

import time
from dataclasses import dataclass

from benchmarks.affinity import pinned, process_seconds
from benchmarks.bare import BareEngine, Pace
from benchmarks.clients import as_answered, connected, draw_and_fetch, on_schedule, rate_between
from benchmarks.nets import SIZE
from benchmarks.service import Service
from benchmarks.statistic import percentile

WARM_UP_S, LOAD_S, BARE_S = 1.5, 6.0, 2.0
# What 64 clients ask for together, in units of what the bare engine draws.
DEMAND = 1.25
MANY = 64


@dataclass(frozen=True, slots=True)
class Kind:
    """Who asks, and how; `is_alone`: the engine's core is its thread's, not the whole worker's."""

    num_clients: int
    is_open: bool
    is_alone: bool = False

    @property
    def arrivals(self) -> str:
        return "on schedule" if self.is_open else "as answered"


@dataclass(frozen=True, slots=True)
class Load:
    """What came of it: images a second, the worker's processor seconds an image, latencies in seconds.

    `before` and `after`: the bare engine.
    """

    kind: Kind
    rate: float
    cpu_s: float
    latencies: list[float]
    before: Pace
    after: Pace

    @property
    def bare_rate(self) -> float:
        return (self.before.rate + self.after.rate) / 2

    @property
    def share(self) -> float:
        return self.rate / self.bare_rate

    def row(self) -> tuple[object, ...]:
        placed = "engine thread" if self.kind.is_alone else "worker"
        bare_cpu_s = (self.before.cpu_s + self.after.cpu_s) / 2
        return (
            *(self.kind.num_clients, self.kind.arrivals, placed),
            *(f"{self.rate:.1f}", f"{self.bare_rate:.1f}", f"{self.share:.1%}"),
            *(f"{self.cpu_s * 1e3:.1f}", f"{bare_cpu_s * 1e3:.1f}"),
            *(f"{percentile(self.latencies, p) * 1e3:.0f}" for p in (50, 95)),
        )


async def load(service: Service, bare: BareEngine, cores: set[int], model: str, kind: Kind, before: Pace) -> Load:
    """A load on an otherwise idle service; `before`: the bare engine just now, on `cores`, the engine's."""
    async with connected(service.url) as client:

        async def ask() -> None:
            await draw_and_fetch(client, model, SIZE)

        started, worker_s = time.perf_counter(), process_seconds(service.worker_pid)
        if kind.is_open:
            rate = DEMAND * before.rate * kind.num_clients / MANY
            answers = await on_schedule(ask, kind.num_clients, rate, WARM_UP_S + LOAD_S)
        else:
            answers = await as_answered(ask, kind.num_clients, WARM_UP_S + LOAD_S)
    worker_s = process_seconds(service.worker_pid) - worker_s
    settled = started + WARM_UP_S
    latencies = [answer.latency for answer in answers if answer.due >= settled]
    found = rate_between(answers, settled, settled + LOAD_S)
    return Load(kind, found, worker_s / len(answers), latencies, before, bare_pace(bare, cores))


def bare_pace(bare: BareEngine, cores: set[int]) -> Pace:
    """The bare engine on the worker's core."""
    with pinned(cores):
        return bare.pace(SIZE, BARE_S)
