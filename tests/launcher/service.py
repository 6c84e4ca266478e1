"""A launcher as a user runs it, for tests: its address, its log, its processes."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx2

ROOT = Path(__file__).parent.parent.parent
MODEL = "gated-pixelcnn-mnist-binary"


class Service:
    """A running launcher: its address, its log, its processes."""

    def __init__(self, state_dir: Path, port: int, runtime_dir: Path) -> None:
        environment = {
            **os.environ,
            "SCANLINE_STATE_DIR": str(state_dir),
            "SCANLINE_PORT": str(port),
            "XDG_RUNTIME_DIR": str(runtime_dir),
        }
        environment.pop("SCANLINE_REDIS_URL", None)
        self.log: list[str] = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "launcher"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.http = httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.log.append(line.rstrip("\n"))

    def wait_for(self, pattern: str, since: int = 0) -> None:
        """Return when a line of the log after the first `since` matches."""
        deadline = time.monotonic() + 90
        while not any(re.search(pattern, line) for line in self.log[since:]):
            assert time.monotonic() < deadline and self.process.poll() is None, "\n".join(self.log)
            time.sleep(0.05)

    def pid_of(self, what: str) -> int:
        """Process id of the child whose command line contains `what`."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        (pid,) = [int(child) for child in children if what in Path(f"/proc/{child}/cmdline").read_text()]
        return pid

    def wait_until_serving(self, model: str = MODEL) -> None:
        """Return when the service can take a job (again)."""
        deadline = time.monotonic() + 60
        while not self._serves(model):
            assert time.monotonic() < deadline, "\n".join(self.log)
            time.sleep(0.1)

    def _serves(self, model: str) -> bool:
        try:
            return model in self.http.get("/readyz").json().get("models", [])
        except httpx2.TransportError:
            return False

    def draw(self, seed: int) -> dict[str, Any]:
        """A finished job of one sample."""
        body = {"model": MODEL, "seed": seed}
        answer = self.http.post("/v1/samples", json=body, headers={"Prefer": "wait=30"})
        assert answer.status_code == 200, answer.text
        job: dict[str, Any] = answer.json()
        return job

    def image(self, job_id: str) -> bytes:
        answer = self.http.get(f"/v1/jobs/{job_id}/images/0")
        assert answer.status_code == 200, answer.text
        return answer.content

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Exit status after a signal."""
        self.process.send_signal(number)
        try:
            return self.process.wait(60)
        finally:
            self.close()

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._reader.join()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.http.close()
