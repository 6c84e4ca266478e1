"""`python -m launcher` as a user runs it: real server, worker and API; killed piece by piece; started twice."""

import os
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from scripts import readme_examples
from tests.launcher.service import ROOT, Service


@dataclass
class TwoLives:
    """A service that drew an image, was stopped and started again on the same state."""

    service: Service
    job_id: str
    image: bytes
    first_status: int
    first_log: list[str]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


@pytest.fixture(scope="module")
def runtime_dir() -> Iterator[Path]:
    """A folder for sockets with a short path, as pytest's own folders do not always have."""
    folder = Path(tempfile.mkdtemp(prefix="scanline-test-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def lives(tmp_path_factory: pytest.TempPathFactory, runtime_dir: Path) -> Iterator[TwoLives]:
    """Shared by the tests below, which take the service apart piece by piece, in order."""
    state_dir, port = tmp_path_factory.mktemp("state"), free_port()
    first = Service(state_dir, port, runtime_dir)
    try:
        first.wait_for(r"^scanline \| ready after")
        first.wait_until_serving()
        job_id = first.draw(seed=1)["id"]
        image = first.image(job_id)
        status = first.stop(signal.SIGINT)
    finally:
        first.close()
    second = Service(state_dir, port, runtime_dir)
    try:
        second.wait_for(r"^scanline \| ready after")
        yield TwoLives(second, job_id, image, status, first.log)
    finally:
        second.close()


def test_ctrl_c_stops_everything_cleanly(lives: TwoLives) -> None:
    assert lives.first_status == 0, "\n".join(lives.first_log)
    assert lives.first_log[-1] == "scanline | stopped"


def test_a_second_start_finds_the_jobs_of_the_first(lives: TwoLives) -> None:
    assert lives.service.image(lives.job_id) == lives.image


def test_the_examples_of_the_readme_work_when_pasted(lives: TwoLives, tmp_path: Path) -> None:
    lives.service.wait_until_serving("gated-pixelcnn-mnist")
    blocks = readme_examples.examples((ROOT / "README.md").read_text())
    url = str(lives.service.http.base_url).rstrip("/")
    answers = [
        readme_examples.run(block["command"].replace(readme_examples.WRITTEN_URL, url), tmp_path) for block in blocks
    ]
    assert all(answers) and len(answers) == 6
    assert '"state":"succeeded"' in answers[0]
    assert (tmp_path / "seven.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("name", "command"), [("worker", "worker"), ("api", "app"), ("valkey", "valkey-server")])
def test_a_process_is_started_again_after_kill_9_and_the_service_draws_on(
    name: str, command: str, lives: TwoLives
) -> None:
    service, seen = lives.service, len(lives.service.log)
    os.kill(service.pid_of(command), signal.SIGKILL)
    service.wait_for(rf"^scanline \| {name} was killed by SIGKILL .* starting it again", seen)
    time.sleep(0.6)  # the first back-off; before it the dead process's last words may still be true
    service.wait_until_serving()
    assert service.draw(seed=1)["state"] == "succeeded"
    assert service.image(lives.job_id) == lives.image


def test_no_process_outlives_a_launcher_that_was_killed(lives: TwoLives) -> None:
    pids = [lives.service.pid_of(command) for command in ("worker", "app", "valkey-server")]
    lives.service.process.kill()
    lives.service.process.wait()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}/cmdline").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in pids if Path(f"/proc/{pid}/cmdline").exists()] == []


def test_a_port_in_use_gives_a_clear_message(tmp_path: Path, runtime_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = Service(tmp_path, port, runtime_dir)
        assert refused.process.wait(30) == 1
        refused.close()
    assert refused.log == [
        f"Scanline cannot start: port {port} on 127.0.0.1 is in use. Stop what listens there, "
        f"or choose another: make run SCANLINE_PORT={port + 1}"
    ]
