"""A worker in this process, without Celery's loop: what becomes of a job whose model cannot be loaded any more."""

import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.engine import Engine
from engine.native.library import NativeError
from models.program import Stage
from tests.services import Valkey, wait_until, write_tiny_bundle
from tests.worker.events import read_events
from worker.celery_app import create_celery
from worker.leases import Leases
from worker.loaded_model import LoadedModels
from worker.protocol import PROTOCOL_VERSION, Card, JobRequest, Precision
from worker.records import JobRecord, Limits, Records
from worker.service import Worker
from worker.settings import Settings
from worker.store import PREFIX

SIDE = 8


class Service:
    """A worker that keeps no model in memory once another is used, and two bundles."""

    def __init__(self, valkey: Valkey, bundles: Path) -> None:
        self.records, self.bundles = Records(valkey.client, Limits()), bundles
        self.hashes = {name: write_tiny_bundle(bundles, name, height=SIDE, width=SIDE) for name in ("one", "other")}
        times = {"heartbeat_s": 0.1, "scan_s": 0.1, "flush_s": 0.02}
        settings = Settings(
            redis_url=valkey.url, bundles_dir=bundles, model_memory_bytes=0, threads=1, slots=4, **times
        )
        self.worker = Worker(settings, create_celery(valkey.broker_url))

    def run(self, model: str) -> JobRecord:
        job, _ = self.records.create(JobRequest("sample", model, self.hashes[model], SIDE, SIDE, 1, 2), [])
        assert self.worker.run_job(job.id) == "done", "its message is not to come again"
        return self.records.get(job.id)

    def card(self, model: str) -> Card | None:
        return next((card for card in self.records.published() if card.id == model), None)

    def wait_for(self, model: str, status: str) -> Card:
        wait_until(lambda: (card := self.card(model)) is not None and card.status == status, 30, f"{model} {status}")
        card = self.card(model)
        assert card is not None
        return card


@pytest.fixture
def service(valkey: Valkey, tmp_path: Path) -> Iterator[Service]:
    interval = sys.getswitchinterval()
    service = Service(valkey, tmp_path)
    service.worker.start()
    for name in service.hashes:
        service.wait_for(name, "admitted")
    yield service
    service.worker.drain()
    service.worker.stop()
    sys.setswitchinterval(interval)


def of_another_version(records: Records, job_id: str) -> None:
    """The job's record as if a later version had written it."""
    key = f"{PREFIX}job:{job_id}"
    document = json.loads(records.client.hget(key, "request"))  # type: ignore[arg-type]
    records.client.hset(key, "request", json.dumps(document | {"protocol": PROTOCOL_VERSION + 1}))


def failure(job: JobRecord) -> tuple[str, str]:
    assert job.state == "failed" and job.error is not None
    return job.error["code"], job.error["message"]


def test_a_model_that_cannot_be_loaded_any_more_is_refused_until_it_changes(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(models: LoadedModels, stages: Sequence[Stage], precision: Precision = "float32") -> Engine:
        loads.append(precision)
        raise NativeError("no kernel takes it")

    loads: list[str] = []
    assert service.run("one").state == service.run("other").state == "succeeded"  # "one" is unloaded by it
    with monkeypatch.context() as patched:
        patched.setattr(LoadedModels, "engine", fails)
        code, message = failure(service.run("one"))
        assert code == "model_unavailable"
        assert message == "one is not served any more: it cannot be loaded: NativeError: no kernel takes it"
        assert str(service.wait_for("one", "refused").reason).endswith("NativeError: no kernel takes it")
        assert failure(service.run("one")) == (code, message)
        assert len(loads) == 1, "it is not tried again"
    assert service.run("other").state == "succeeded"
    os.utime(service.bundles / "one" / "config.json")
    service.wait_for("one", "admitted")
    assert service.run("one").state == "succeeded"


def test_a_job_of_another_version_fails_and_is_not_sent_again(service: Service) -> None:
    job, _ = service.records.create(JobRequest("sample", "one", service.hashes["one"], SIDE, SIDE, 1, 2), [])
    of_another_version(service.records, job.id)
    assert service.worker.run_job(job.id) == "done"
    assert service.records.counts()["jobs"]["failed"] == 1
    kind, told = read_events(service.records, job.id)[-1]
    assert kind == "failed" and "another version" in told["message"]
    assert Leases(service.records.client, Limits()).unsent(lambda model: 0) == []
    assert service.run("one").state == "succeeded"


def test_weights_that_were_damaged_behind_the_workers_back_are_refused(service: Service) -> None:
    """Same size, same time: only loading them again shows it."""
    assert service.run("one").state == service.run("other").state == "succeeded"
    weights = service.bundles / "one" / "model.safetensors"
    stat = weights.stat()
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    code, message = failure(service.run("one"))
    assert code == "model_unavailable" and "damaged or exchanged" in message
    assert "damaged or exchanged" in str(service.wait_for("one", "refused").reason)


def test_a_job_without_an_engine_fails_alone(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> Engine:
        raise NativeError("no memory")

    with monkeypatch.context() as patched:
        patched.setattr(LoadedModels, "engine_of", fails)
        assert failure(service.run("one")) == ("engine_failed", "there is no engine for this job: no memory")
    assert service.run("one").state == "succeeded"
