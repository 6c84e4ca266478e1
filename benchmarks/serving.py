"""The whole HTTP path, with real processes: latency of single images, throughput under load."""

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.affinity import move_all_but_busiest, pinned, two_cores
from benchmarks.bare import BareEngine
from benchmarks.latency import added, first_rows, overhead, under
from benchmarks.nets import NET, NO_OP, gated_pixelcnn, smallest, write_random_bundle
from benchmarks.service import Service, running_service
from benchmarks.svg import Bar, bars
from benchmarks.table import Findings, Table
from benchmarks.throughput import Kind, Load, bare_pace, load

NUM_SLOTS = 8
KINDS = (
    *(Kind(num_clients, is_open) for is_open in (True, False) for num_clients in (1, 8, 64)),
    Kind(64, True, is_alone=True),
)
HEADER = (
    *("clients", "they ask", "on the first core", "images/s", "bare engine, images/s", "share"),
    *("worker, CPU ms an image", "bare engine, CPU ms", "p50 ms", "p95 ms"),
)
NOTES = (
    "Rates and latencies by the clock on the wall; the bare engine on the worker's core, while nobody asks, before and "
    "after each load. A client asks for one image, waits for the end of the job, and fetches the picture. On schedule "
    "(open loop): clients ask whether or not they are answered, each 1.25 / 64 of the bare engine's rate, so that 64 "
    "ask for more than can be drawn; latency counts from when a request was due. As answered (closed loop): each asks "
    "again as soon as it has its picture. On the first core is the worker, or the thread of its engine alone, while "
    "everything else has the other core."
)


def serving(_: Sequence[int], __: int) -> Findings:
    """One engine thread. The worker has a core; Valkey, the API and the clients have the others."""
    engine_cores, other_cores = two_cores()
    bare = BareEngine(gated_pixelcnn().program(), NUM_SLOTS)
    settings = {"slots": str(NUM_SLOTS), "interpreter": "native", "threads": "1", "max_queue": "10000"}
    with (
        running_service(_write_bundles, engine_cores, other_cores, **settings) as service,
        pinned(other_cores),
    ):
        return asyncio.run(_measure(service, bare, engine_cores, other_cores))


def _write_bundles(folder: Path) -> None:
    write_random_bundle(folder / NET, gated_pixelcnn())
    write_random_bundle(folder / NO_OP, smallest())


async def _measure(service: Service, bare: BareEngine, engine_cores: set[int], other_cores: set[int]) -> Findings:
    tables = []
    for name, table in (("idle", added), ("first rows", first_rows), ("no-op", overhead), ("interference", under)):
        _say(name)
        tables.append(await table(service.url, bare, engine_cores))
    loads, before = list[Load](), bare_pace(bare, engine_cores)
    for kind in KINDS:
        _say(f"{kind.num_clients} clients, {kind.arrivals}")
        if kind.is_alone:
            move_all_but_busiest(service.worker_pid, other_cores)
        loads.append(await load(service, bare, engine_cores, NET, kind, before))
        before = loads[-1].after
        _say(" | ".join(map(str, loads[-1].row())))
    rows = [found.row() for found in loads]
    return Findings(
        [Table("The whole HTTP path under load", HEADER, rows, NOTES), *tables], {"serving.svg": _chart(loads)}
    )


def _say(what: str) -> None:
    print(f"serving: {what}", file=sys.stderr, flush=True)


def _chart(loads: Sequence[Load]) -> str:
    parts = []
    for found in loads:
        if not found.kind.is_alone and found.rate > 0:  # fewer than two answers make no rate
            num = found.kind.num_clients
            name, text = f"{num} client{'s' * (num > 1)}", f"{found.rate:.1f}/s, {found.share:.0%}"
            parts.append(Bar(f"asked {found.kind.arrivals}", name, found.rate, text))
    rate = sum(found.bare_rate for found in loads) / len(loads)
    parts.append(Bar("without HTTP", "bare engine", rate, f"{rate:.1f}/s"))
    return bars("Through HTTP, and the engine alone on the worker's core", "images a second", parts)
