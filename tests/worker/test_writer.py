"""The writer with a real store that comes and goes."""

import threading
import time
from collections.abc import Iterator

import pytest

from tests.services import Valkey, wait_until
from worker.attempt import Attempt
from worker.leases import Leases
from worker.protocol import JobRequest
from worker.records import Limits, Records
from worker.store import connect
from worker.writer import Writer


@pytest.fixture
def store() -> Iterator[Valkey]:
    """A Valkey of its own: it is killed."""
    with Valkey() as valkey:
        yield valkey


class Scene:
    """A claimed job with a writer."""

    def __init__(self, valkey: Valkey, request: JobRequest, limits: Limits, alive: bool = True) -> None:
        self.records = Records(connect(valkey.url, retries=20), limits)
        self.leases = Leases(self.records.client, limits)
        self.stops: list[bool] = []
        self.writer = Writer(
            Leases(connect(valkey.url, retries=0), limits), 0.02, lambda _, lost: self.stops.append(lost), lambda: alive
        )
        self.writer.start()
        self.job_id = self.records.create(request, [])[0].id
        claim = self.leases.claim(self.job_id, "w", "t", "p")
        assert claim is not None
        self.attempt: Attempt = self.writer.open(claim)


def test_rows_written_while_the_store_is_away_arrive_in_order(store: Valkey, request_: JobRequest) -> None:
    scene = Scene(store, request_, Limits())
    scene.attempt.add_row(0, 0, b"aaaa")
    wait_until(lambda: scene.records.canvas(scene.job_id, 0) == b"aaaa")
    store.kill()
    scene.attempt.add_row(0, 1, b"bbbb")
    time.sleep(0.1)
    scene.attempt.add_row(0, 2, b"cccc")
    scene.attempt.end("succeeded", {"unit": "nats"})
    assert not scene.attempt.ending.done()
    store.start()
    assert scene.attempt.ending.result(10) == "ended"
    assert scene.records.canvas(scene.job_id, 0) == b"aaaabbbbcccc"
    assert scene.records.get(scene.job_id).state == "succeeded"
    scene.writer.stop(5)


def test_a_lease_lives_as_long_as_its_engine_does(valkey: Valkey, request_: JobRequest) -> None:
    limits = Limits(lease_s=0.2)
    alive, stuck = Scene(valkey, request_, limits), Scene(valkey, request_, limits, alive=False)
    time.sleep(0.4)
    alive.leases.reap(0.001)
    assert alive.records.get(alive.job_id).state == "running"
    assert stuck.attempt.ending.result(5) == "lost" and stuck.stops == [True]
    alive.attempt.end("succeeded")
    alive.writer.stop(5)
    stuck.writer.stop(5)


def test_a_cancel_is_passed_on_once_within_a_flush(valkey: Valkey, request_: JobRequest) -> None:
    scene = Scene(valkey, request_, Limits())
    scene.records.cancel(scene.job_id)
    wait_until(lambda: scene.stops == [False], 2)
    time.sleep(0.1)
    assert scene.stops == [False]
    scene.attempt.end("canceled")
    assert scene.attempt.ending.result(5) == "ended"
    assert scene.records.get(scene.job_id).state == "canceled"
    scene.writer.stop(5)


def test_an_end_is_written_at_once(valkey: Valkey, request_: JobRequest) -> None:
    records = Records(valkey.client, Limits())
    leases = Leases(valkey.client, Limits())
    writer = Writer(leases, 60, lambda _, lost: None, lambda: True)
    writer.start()
    job, _ = records.create(request_, [])
    claim = leases.claim(job.id, "w", "t", "p")
    assert claim is not None
    attempt = writer.open(claim)
    threading.Timer(0.05, attempt.end, ["succeeded"]).start()
    assert attempt.ending.result(5) == "ended"
    writer.stop(5)
