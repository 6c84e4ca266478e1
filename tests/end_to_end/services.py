"""The HTTP process of the end-to-end tests, and a client that reads its event streams."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.services import ROOT, wait_until

SLOW_SIZE = 192
"""Rows and columns of the bundle `slow`: 64 of its images take some seconds."""


@dataclass(frozen=True)
class Event:
    id: str
    kind: str
    data: dict[str, Any]


@dataclass
class Api:
    """`python -m app` in a process of its own."""

    process: "subprocess.Popen[bytes]"
    client: httpx2.Client

    def events(self, job_id: str, timeout_s: float = 60, **options: Any) -> Iterator[Event]:
        """The job's events as they come, for at most `timeout_s`; `options` go to the request (headers, params)."""
        deadline = time.monotonic() + timeout_s
        with self.client.stream("GET", f"/v1/jobs/{job_id}/events", **options) as answer:
            assert answer.status_code == 200, answer.read()
            fields: dict[str, str] = {}
            for line in answer.iter_lines():  # at least a ping now and then
                assert time.monotonic() < deadline, f"job {job_id} did not end in {timeout_s} s"
                name, _, value = line.partition(": ")
                if line and name:
                    fields[name] = value
                elif fields:
                    if "event" in fields:
                        yield Event(fields["id"], fields["event"], json.loads(fields["data"]))
                    fields = {}

    def finished(self, job_id: str) -> dict[str, Any]:
        """The job once it has ended."""
        for _ in self.events(job_id):
            pass
        return self.job(job_id)

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.client.get(f"/v1/jobs/{job_id}").json()
        return job

    def image(self, job_id: str, k: int = 0) -> bytes:
        answer = self.client.get(f"/v1/jobs/{job_id}/images/{k}")
        assert answer.status_code == 200, answer.text
        return answer.content


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running_api(redis_url: str, log_file: Path, **settings: str) -> Iterator[Api]:
    """Killed at the end, should it still run. `settings` are SCANLINE_* variables without the prefix, lower case."""
    port = free_port()
    environment = {**os.environ, "SCANLINE_REDIS_URL": redis_url, "SCANLINE_PORT": str(port), "PYTHONPATH": str(ROOT)}
    environment |= {f"SCANLINE_{name.upper()}": value for name, value in settings.items()}
    with log_file.open("ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "app"], env=environment, cwd=ROOT, stdout=log, stderr=log)
    try:
        with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            wait_until(lambda: answers(client), what="the API's answer")
            yield Api(process, client)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


def answers(client: httpx2.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx2.TransportError:
        return False
