"""Workers killed, stopped, frozen, and a store that goes away: every image is the one that it would have been."""

import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from tests.services import FAST, SLOW_LAYERS, Valkey, WorkerProcess, wait_until, write_tiny_bundle, write_tiny_density
from tests.worker.jobs import Jobs
from worker.protocol import JobRequest
from worker.records import JobRecord

HEIGHT, WIDTH = 64, 64
FLOATS_SIDE, FLOATS_LAYERS = 128, 8
"""Of the images of a density, and of its net."""


@dataclass
class Fleet:
    """Workers on one Valkey; as many as a test asks for are alive when it begins."""

    valkey: Valkey
    folder: Path
    sha256: str
    sha256_of_floats: str
    workers: list[WorkerProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.jobs = Jobs.on(self.valkey)

    def alive(self, count: int) -> list[WorkerProcess]:
        self.workers = [w for w in self.workers if w.process is not None and w.process.poll() is None]
        while len(self.workers) < count:
            self.start()
        pids = [f"-{w.process.pid}-" for w in self.workers if w.process is not None]
        wait_until(lambda: all(any(pid in name for name in self.offers()) for pid in pids), 60, f"{count} workers")
        return self.workers

    def start(self) -> WorkerProcess:
        bundles = str(self.folder / "bundles")
        environment = {**FAST, "SCANLINE_REDIS_URL": self.valkey.url, "SCANLINE_BUNDLES_DIR": bundles}
        self.workers.append(WorkerProcess(environment, self.folder / f"log{len(self.workers)}").start())
        return self.workers[-1]

    def offers(self) -> list[str]:
        return [report.worker for report in self.jobs.records.workers() if report.cards]

    def request(self, kind: str = "sample", **fields: object) -> JobRequest:
        shape = (HEIGHT, WIDTH, 1, 2)
        return JobRequest(kind, "slow", self.sha256, *shape, **{"n": 24, "seed": 11, **fields})  # type: ignore[arg-type]

    def request_of_floats(self, kind: str = "sample", **fields: object) -> JobRequest:
        shape = (FLOATS_SIDE, FLOATS_SIDE, 1, 0)
        fields = {"n": 48, "seed": 5, **fields}
        return JobRequest(kind, "floats", self.sha256_of_floats, *shape, **fields)  # type: ignore[arg-type]

    def owner(self, job_id: str) -> WorkerProcess:
        name = self.jobs.records.get(job_id).worker
        assert name is not None
        return next(w for w in self.workers if w.process is not None and f"-{w.process.pid}-" in name)

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    folder = tmp_path_factory.mktemp("fleet")
    sha256 = write_tiny_bundle(folder / "bundles", "slow", height=HEIGHT, width=WIDTH, layers=SLOW_LAYERS)
    with Valkey() as valkey:
        fleet = Fleet(valkey, folder, sha256, write_tiny_density(folder / "bundles", "floats", layers=FLOATS_LAYERS))
        try:
            yield fleet
        finally:
            fleet.close()


@pytest.fixture(scope="module")
def undisturbed(fleet: Fleet) -> JobRecord:
    fleet.alive(1)
    return fleet.jobs.run(fleet.request())


def test_a_frozen_worker_cannot_write_once_another_took_over(fleet: Fleet, undisturbed: JobRecord) -> None:
    fleet.alive(2)
    job_id = fleet.jobs.submit(fleet.request())
    fleet.jobs.wait_for_rows(job_id, 10)
    frozen = fleet.owner(job_id)
    frozen.signal(signal.SIGSTOP)
    wait_until(lambda: fleet.jobs.records.get(job_id).attempt == 2, what="another worker's attempt")
    frozen.signal(signal.SIGCONT)
    job = fleet.jobs.finish(job_id, 40)
    _assert_same(fleet, job, undisturbed)
    assert fleet.owner(job_id) is not frozen and job.attempt == 2
    assert [kind for kind, _ in fleet.jobs.events(job_id)].count("succeeded") == 1


def test_a_worker_that_is_asked_to_stop_hands_its_jobs_on(fleet: Fleet, undisturbed: JobRecord) -> None:
    fleet.alive(2)
    job_id = fleet.jobs.submit(fleet.request())
    fleet.jobs.wait_for_rows(job_id, 10)
    stopped = fleet.owner(job_id)
    assert stopped.terminate() == 0
    job = fleet.jobs.finish(job_id, 40)
    _assert_same(fleet, job, undisturbed)
    assert job.attempt == 2 and fleet.owner(job_id) is not stopped
    kinds = [kind for kind, _ in fleet.jobs.events(job_id) if kind not in ("progress", "sample")]
    assert kinds == ["queued", "started", "queued", "resumed", "succeeded"]


def test_a_killed_workers_images_go_on_to_the_same_bytes(fleet: Fleet, undisturbed: JobRecord) -> None:
    """Also with a mask, and in bfloat16 where there is such a thing; and the only worker that is left is a new one."""
    fleet.alive(1)
    other = fleet.request(precision=fleet.jobs.card("slow").precisions[-1])
    undisturbed_other = fleet.jobs.run(other)
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[:, ::3] = True
    uploads = [np.ones((HEIGHT, WIDTH, 1), np.uint8).tobytes()]
    completion = fleet.request("completion", n=8, has_mask=True)
    undisturbed_completion = fleet.jobs.finish(fleet.jobs.submit(completion, uploads, mask.tobytes()))
    ids = [
        fleet.jobs.submit(fleet.request()),
        fleet.jobs.submit(completion, uploads, mask.tobytes()),
        fleet.jobs.submit(other),
    ]
    for job_id in ids:
        fleet.jobs.wait_for_rows(job_id, 5)
    for worker in fleet.alive(1):
        worker.kill()
    half_made = [fleet.jobs.records.get(job_id) for job_id in ids]
    assert all(job.state == "running" and 0 < job.progress.done < job.progress.total for job in half_made)
    fleet.alive(1)
    jobs = [fleet.jobs.finish(job_id, 40) for job_id in ids]
    _assert_same(fleet, jobs[0], undisturbed)
    _assert_same(fleet, jobs[1], undisturbed_completion)
    _assert_same(fleet, jobs[2], undisturbed_other)
    for before, job in zip(half_made, jobs, strict=True):
        resumed = dict(fleet.jobs.events(job.id))["resumed"]
        assert job.attempt == 2 and resumed["from_pixel"] == before.progress.done


def test_a_killed_workers_floats_go_on_to_the_same_bytes(fleet: Fleet) -> None:
    """A density's pixels, with a margin around the image, and in a completion whose known bytes are dequantised."""
    fleet.alive(1)
    upload = np.random.default_rng(0).integers(0, 256, (FLOATS_SIDE, FLOATS_SIDE, 1)).astype(np.uint8).tobytes()
    requests = [
        (fleet.request_of_floats(margin=2), []),
        (fleet.request_of_floats("completion", known_rows=4), [upload]),
    ]
    undisturbed = [fleet.jobs.finish(fleet.jobs.submit(*request)) for request in requests]
    ids = [fleet.jobs.submit(*request) for request in requests]
    for job_id in ids:
        fleet.jobs.wait_for_rows(job_id, 6)
    for worker in fleet.alive(1):
        worker.kill()
    half_made = [fleet.jobs.records.get(job_id) for job_id in ids]
    assert all(job.state == "running" and 0 < job.progress.done < job.progress.total for job in half_made)
    fleet.alive(1)
    for before, expected in zip(half_made, undisturbed, strict=True):
        job = fleet.jobs.finish(before.id, 40)
        _assert_same(fleet, job, expected)
        assert job.attempt == 2
        assert dict(fleet.jobs.events(job.id))["resumed"]["from_pixel"] == before.progress.done


def test_a_store_that_goes_away_costs_time_only(fleet: Fleet, undisturbed: JobRecord) -> None:
    fleet.alive(1)
    job_id = fleet.jobs.submit(fleet.request())
    fleet.jobs.wait_for_rows(job_id, 10)
    fleet.valkey.kill()
    fleet.valkey.start()
    job = fleet.jobs.finish(job_id, 40)
    _assert_same(fleet, job, undisturbed)
    assert job.attempt == 1
    assert fleet.jobs.run(fleet.request(n=1)).state == "succeeded"


def _assert_same(fleet: Fleet, job: JobRecord, undisturbed: JobRecord) -> None:
    assert job.state == "succeeded", job.error
    assert fleet.jobs.images(job) == fleet.jobs.images(undisturbed)
    assert job.samples == undisturbed.samples
    assert job.progress.done == job.progress.total
