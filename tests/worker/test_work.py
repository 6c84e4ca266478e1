"""When threads that draw on and on are called back."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.native import build_or_skip
from tests.services import Valkey, write_tiny_bundle
from worker.attempt import Attempt
from worker.leases import Leases
from worker.loaded_model import LoadedModel, LoadedModels
from worker.protocol import JobRequest
from worker.records import Limits, Records
from worker.runs import run_of
from worker.work import Work

SIDE, SLOTS, THREADS = 6, 4, 2


class Jobs:
    """Jobs of one bundle and what its model's engine makes of them; nobody steps the engine."""

    def __init__(self, valkey: Valkey, loaded: LoadedModel) -> None:
        self.records, self.leases = Records(valkey.client, Limits()), Leases(valkey.client, Limits())
        self.loaded, self.work = loaded, Work(THREADS)

    def begin(self, kind: str = "sample", n: int = 1) -> Attempt:
        sha256 = self.loaded.config.weights_sha256
        request = JobRequest(kind, "tiny", sha256, SIDE, SIDE, 1, 2, n=n)  # type: ignore[arg-type]
        job, _ = self.records.create(request, [bytes(SIDE * SIDE)] * n)
        claim = self.leases.claim(job.id, "w", job.id, self.loaded.engine.profile)
        assert claim is not None
        attempt = Attempt(claim, lambda: None)
        self.work.begin(run_of(attempt, self.loaded, self.loaded.engine))
        return attempt

    def fill(self) -> None:
        """All slots of all threads. Beginning has called the threads, so their steps end after a pixel."""
        self.begin(n=SLOTS * THREADS)
        for thread in range(THREADS):
            self.loaded.engine.step(thread, SLOTS, self.work.interrupts[thread])

    def called(self) -> list[bool]:
        """Which threads were called since this was last asked."""
        found = [interrupt.is_set for interrupt in self.work.interrupts]
        for interrupt in self.work.interrupts:
            interrupt.clear()
        return found


@pytest.fixture
def jobs(valkey: Valkey, tmp_path: Path) -> Iterator[Jobs]:
    build_or_skip()
    sha256 = write_tiny_bundle(tmp_path, "tiny", height=SIDE, width=SIDE)
    models = LoadedModels(1 << 30, SLOTS, lambda: False, interpreter="native", threads=THREADS)
    with models.use(tmp_path / "tiny", "tiny", sha256) as loaded:
        yield Jobs(valkey, loaded)


def test_a_new_job_calls_the_threads_while_slots_are_free(jobs: Jobs) -> None:
    jobs.begin()
    assert jobs.called() == [True, True]


def test_a_job_that_must_wait_for_a_slot_calls_nobody(jobs: Jobs) -> None:
    jobs.fill()
    jobs.called()
    waiting = jobs.begin()
    assert jobs.called() == [False, False]
    jobs.work.stop(waiting)
    assert jobs.called() == [True, True]


def test_a_score_calls_the_threads_and_ends_their_patience(jobs: Jobs) -> None:
    jobs.begin()
    assert jobs.work.is_alone(jobs.loaded.engine)
    jobs.called()
    jobs.begin("score")
    assert jobs.called() == [True, True]
    assert not jobs.work.is_alone(jobs.loaded.engine)
