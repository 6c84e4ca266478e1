"""No bundle takes all that a worker can have in hand, and a bundle that had its share goes on."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services import SLOW_LAYERS, Valkey, WorkerProcess, running_worker, wait_until, write_tiny_bundle
from tests.worker.jobs import Jobs
from worker.protocol import JobRequest
from worker.settings import Settings

SLOTS = 4


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[tuple[Jobs, WorkerProcess, dict[str, JobRequest]]]:
    bundles = tmp_path / "bundles"
    sides = {"long": 128, "quick": 8}
    layers = {"long": SLOW_LAYERS, "quick": 1}
    requests = {}
    for name, side in sides.items():
        sha256 = write_tiny_bundle(bundles, name, height=side, width=side, layers=layers[name])
        requests[name] = JobRequest(
            kind="sample", model=name, sha256=sha256, height=side, width=side, channels=1, num_levels=2, n=8
        )
    with (
        Valkey() as valkey,
        running_worker(valkey, bundles, tmp_path / "log", slots=str(SLOTS), threads="1") as process,
    ):
        jobs = Jobs.on(valkey)
        for name in sides:
            jobs.card(name)
        yield jobs, process, requests


def test_a_flood_of_one_bundles_long_jobs_leaves_room_for_another_and_ends(
    worker: tuple[Jobs, WorkerProcess, dict[str, JobRequest]],
) -> None:
    jobs, _, requests = worker
    at_once = Settings(slots=SLOTS, threads=1).jobs_at_once
    flood = [jobs.submit(requests["long"]) for _ in range(2 * at_once)]

    def running() -> list[str]:
        return [job for job in flood if jobs.records.get(job).state == "running"]

    wait_until(lambda: len(running()) == at_once, what="as many long jobs as are taken at once")
    for _ in range(at_once):
        assert jobs.run(requests["quick"]).state == "succeeded"
    assert len(running()) == at_once

    few = at_once // 2
    for job in running()[: at_once - few - 1]:
        jobs.records.cancel(job)
    wait_until(lambda: len(running()) == few + 1, what="the end of the cancelled jobs")
    assert jobs.run(requests["quick"]).state == "succeeded"
    assert len(running()) == few + 1, "not before there are few"

    jobs.records.cancel(running()[0])
    wait_until(lambda: len(running()) == at_once, what="more of the flood")


def test_many_short_jobs_of_one_bundle_all_end(
    worker: tuple[Jobs, WorkerProcess, dict[str, JobRequest]],
) -> None:
    jobs, _, requests = worker
    flood = [jobs.submit(requests["quick"]) for _ in range(150)]
    assert all(jobs.finish(job).state == "succeeded" for job in flood)
