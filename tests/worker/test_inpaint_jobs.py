"""Completions with sweeps in a real worker process: the chains of the core, killed, canceled, refused."""

import base64
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.engine import Engine
from engine.inpaint import run
from engine.posterior import MarkovChain
from engine.request import DrawRequest
from models.bundle import load_bundle
from tests.services import SLOW_LAYERS, Valkey, WorkerProcess, running_worker, wait_until, write_tiny_bundle
from tests.services import write_tiny_density as write_density
from tests.worker.jobs import Jobs
from worker.dequantise import dequantised
from worker.protocol import JobRequest
from worker.records import JobRecord, reserved_bytes

SIDE, LARGE = 10, 40
KINDS = ["levels", "density"]


@dataclass
class Service:
    jobs: Jobs
    worker: WorkerProcess
    bundles: Path
    hashes: dict[str, str]

    def request(self, model: str, side: int = SIDE, **fields: Any) -> JobRequest:
        num_levels = 0 if "density" in model else 2
        fields = {"n": 3, "seed": 5, "sweeps": 4, "has_mask": True, **fields}
        return JobRequest("completion", model, self.hashes[model], side, side, 1, num_levels, **fields)

    def submit(self, request: JobRequest) -> str:
        return self.jobs.submit(request, [upload(request).tobytes()], hole(request).tobytes())

    def run(self, request: JobRequest) -> JobRecord:
        return self.jobs.finish(self.submit(request), 60)


def upload(request: JobRequest) -> np.ndarray:
    shape = request.height, request.width, 1
    return np.random.default_rng(2).integers(0, request.num_levels or 256, shape).astype(np.uint8)


def hole(request: JobRequest) -> np.ndarray:
    """A mask, 0 in the hole, which is known all around and takes four blocks."""
    mask = np.ones((request.height, request.width), np.bool_)
    mask[2:8, 1:9] = False
    return mask


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("inpaint")
    bundles = folder / "bundles"
    hashes = {
        "levels": write_tiny_bundle(bundles, "levels", height=SIDE, width=SIDE),
        "slow-levels": write_tiny_bundle(bundles, "slow-levels", height=LARGE, width=LARGE, layers=SLOW_LAYERS // 4),
        "density": write_density(bundles, "density"),
        "slow-density": write_density(bundles, "slow-density", layers=6),
        "stages": write_tiny_bundle(bundles, "stages", architecture="multi_scale", height=SIDE, width=SIDE),
    }
    with Valkey() as valkey, running_worker(valkey, bundles, folder / "log") as worker:
        service = Service(Jobs.on(valkey), worker, bundles, hashes)
        for name in hashes:
            assert service.jobs.card(name, 60).status == "admitted"
        yield service


def rate(log_prob: float) -> float:
    return log_prob / (SIDE * SIDE * math.log(2)) + 8


@pytest.mark.parametrize("model", KINDS)
def test_a_result_is_the_chain_that_the_core_makes(service: Service, model: str) -> None:
    request = service.request(model)
    job = service.run(request)
    assert job.state == "succeeded", job.error
    assert job.progress.done == job.progress.total == 3 * 5 * SIDE * SIDE
    assert job.progress.rows == (SIDE,) * 3
    engine = Engine(load_bundle(service.bundles / model).model.program(), 4)
    mask, levels = hole(request), upload(request)
    for k, (image, sample) in enumerate(zip(service.jobs.images(job), job.samples, strict=True)):
        known = dequantised(levels, 5, k) if request.is_density else levels
        chain = MarkovChain(engine, DrawRequest("", "", SIDE, SIDE, 5, k, known=known, mask=mask), 4)
        run(engine, [chain])
        assert image == chain.checkpoint.values.tobytes()
        drawn = np.frombuffer(image, np.float32 if request.is_density else np.uint8).reshape(SIDE, SIDE, 1)
        assert (np.floor(drawn[mask]) == levels[mask]).all(), "known bytes come back"
        trace = chain.checkpoint.trace
        assert sample["trace"] == ([rate(x) for x in trace] if request.is_density else list(trace))
        assert len(sample["trace"]) == 5
        assert sample["acceptance_rate"] == chain.acceptance_rate and 0 < chain.acceptance_rate <= 1
        assert sample["density_bits_per_pixel" if request.is_density else "log_prob"] == sample["trace"][-1]
        assert sample["conditioning"] == sample["receipt"]["conditioning"] == "posterior"
        assert not sample.keys() & {"drawn_log_prob", "drawn_density_bits_per_pixel"}
        how = {"sweeps": 4, "candidates": 5, "block_side": 5, "block_stride": 3}
        assert sample["receipt"].items() >= how.items()


@pytest.mark.parametrize("model", KINDS)
def test_rows_that_are_told_one_over_the_other_make_the_image(service: Service, model: str) -> None:
    """Also where there are more sweeps than are told of; and they take no more room than was set aside for them."""
    job = service.run(service.request(model, sweeps=230, n=2))
    rows: dict[tuple[int, int], bytes] = {}
    events, images = service.jobs.events(job.id), service.jobs.images(job)
    for kind, data in events:
        for row in data["rows"] if kind == "progress" else []:
            rows[row["sample"], row["row"]] = base64.b64decode(row["data"])
    for k, image in enumerate(images):
        assert b"".join(rows[k, row] for row in range(SIDE)) == image
    uploads, mask = [upload(job.request).tobytes()], hole(job.request).tobytes()
    taken = len(json.dumps([events, job.samples])) + sum(map(len, [*images, *uploads, mask]))
    assert taken < reserved_bytes(job.request, uploads, mask)


def test_a_hole_by_rows_is_swept_too(service: Service) -> None:
    job = service.run(service.request("density", has_mask=False, known_rows=6, n=1))
    (image,) = service.jobs.images(job)
    drawn = np.frombuffer(image, np.float32).reshape(SIDE, SIDE, 1)
    assert job.state == "succeeded" and (drawn[:6] == dequantised(upload(job.request), 5, 0)[:6]).all()


def test_a_worker_killed_in_mid_sweep_goes_on_to_the_same_bytes(service: Service) -> None:
    requests = [
        service.request("slow-levels", LARGE, n=2, sweeps=12),
        service.request("slow-density", LARGE, n=2, sweeps=80),
    ]
    undisturbed = [service.jobs.finish(job_id, 60) for job_id in map(service.submit, requests)]
    ids = [service.submit(request) for request in requests]
    records = service.jobs.records
    for job_id, request in zip(ids, requests, strict=True):
        wait_until(lambda i=job_id, t=request.total_pixels: records.get(i).progress.done > t // 5, 60)  # type: ignore[misc]
    service.worker.kill()
    half_made = [records.get(job_id) for job_id in ids]
    assert all(job.state == "running" and 0 < job.progress.done < job.progress.total for job in half_made)
    service.worker.start()
    for before, expected in zip(half_made, undisturbed, strict=True):
        job = service.jobs.finish(before.id, 90)
        assert job.state == "succeeded", job.error
        assert service.jobs.images(job) == service.jobs.images(expected)
        assert job.samples == expected.samples and job.progress.done == job.progress.total
        assert job.attempt == 2
        assert dict(service.jobs.events(job.id))["resumed"]["from_pixel"] == before.progress.done


def test_a_canceled_job_stops_and_holds_nobody_up(service: Service) -> None:
    job_id = service.submit(service.request("slow-density", LARGE, n=8, sweeps=100_000))
    wait_until(lambda: service.jobs.records.get(job_id).progress.done > 0, 60)
    beside = service.run(service.request("slow-density", LARGE, n=1, sweeps=1))
    assert beside.state == "succeeded", "jobs take turns"
    service.jobs.records.cancel(job_id)
    job = service.jobs.finish(job_id)
    assert job.state == "canceled" and job.progress.done < job.progress.total
    assert service.run(service.request("slow-density", LARGE, n=1, sweeps=1)).state == "succeeded"


def test_what_has_no_posterior_fails_with_the_reason(service: Service) -> None:
    stages = replace(service.request("stages"), coarse_level=1)
    assert "coarse image" in message_of(service.run(stages))
    assert "temperature 1 only" in message_of(service.run(service.request("levels", temperature=0.5)))
    assert "clipped" in message_of(service.run(service.request("density", clip=[10.0, 240.0])))


def message_of(job: JobRecord) -> str:
    assert job.state == "failed" and job.error is not None
    return str(job.error["message"])
