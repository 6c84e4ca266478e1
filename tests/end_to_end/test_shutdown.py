"""SIGTERM of the HTTP process: open streams end, jobs go on."""

import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from tests.end_to_end.services import Api, running_api
from tests.services import Valkey, wait_until


def test_the_process_ends_soon_although_a_stream_is_open(api: Api, valkey: Valkey, tmp_path: Path) -> None:
    with running_api(valkey.url, tmp_path / "api.log") as other:
        job_id = other.client.post("/v1/samples", json={"model": "slow", "n": 64}).json()["id"]
        stream = other.events(job_id)
        next(stream)
        began = time.monotonic()
        other.process.send_signal(signal.SIGTERM)
        with pytest.raises((httpx2.TransportError, StopIteration)):
            while True:
                next(stream)
        other.process.wait(10)
        assert time.monotonic() - began < 8
    assert api.job(job_id)["state"] in ("queued", "running")
    assert api.client.post(f"/v1/jobs/{job_id}/cancel").status_code == 200


def test_a_client_that_waits_is_told_its_job(valkey: Valkey, api: Api, tmp_path: Path) -> None:
    with running_api(valkey.url, tmp_path / "api.log") as other, ThreadPoolExecutor(1) as thread:
        ask = {"json": {"model": "slow", "n": 64}, "headers": {"Prefer": "wait=50"}}
        before = {job["id"] for job in api.client.get("/v1/jobs").json()["data"]}
        waiting = thread.submit(other.client.post, "/v1/samples", **ask)  # type: ignore[arg-type]
        wait_until(lambda: api.client.get("/v1/jobs").json()["data"][0]["id"] not in before, what="the new job")
        other.process.send_signal(signal.SIGTERM)
        answer = waiting.result(20)
    assert answer.status_code == 202
    assert api.client.post(f"/v1/jobs/{answer.json()['id']}/cancel").status_code == 200
