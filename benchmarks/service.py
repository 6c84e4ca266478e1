"""The whole service for as long as it is measured: Valkey, a worker and the API in processes of their own."""

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
from redis import Redis
from redis.exceptions import RedisError

from benchmarks.affinity import pinned
from launcher import valkey

ROOT = Path(__file__).parents[1]
START_S = 120.0


@dataclass(frozen=True, slots=True)
class Service:
    """`url` answers, and every bundle is admitted."""

    url: str
    worker_pid: int


@contextlib.contextmanager
def running_service(
    write_bundles: Callable[[Path], None], engine_cores: set[int], other_cores: set[int], **settings: str
) -> Iterator[Service]:
    """The service with bundles that `write_bundles` puts into a folder; everything ends and goes with the block.

    Args:
        engine_cores: the worker's. other_cores: those of Valkey and of the API.
        settings: SCANLINE_* variables without the prefix, lower case; variables of the caller do not count.
    """
    folder = Path(tempfile.mkdtemp(prefix="scanline-bench-"))
    redis_url, port = f"unix://{folder}/valkey?db=0", _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SCANLINE_")}
    environment |= {"SCANLINE_REDIS_URL": redis_url, "SCANLINE_PORT": str(port)}
    environment |= {"SCANLINE_BUNDLES_DIR": str(folder / "bundles")}
    environment |= {f"SCANLINE_{name.upper()}": value for name, value in settings.items()}
    write_bundles(folder / "bundles")
    commands = {
        "valkey": valkey.command(valkey.find_binary(), folder, folder / "valkey"),
        "worker": [sys.executable, "-m", "worker"],
        "api": [sys.executable, "-m", "app"],
    }
    url, processes = f"http://127.0.0.1:{port}", dict[str, subprocess.Popen[bytes]]()
    try:
        for name, command in commands.items():
            with pinned(engine_cores if name == "worker" else other_cores), (folder / f"{name}.log").open("wb") as log:
                # Should this process be killed, its children end with it.
                tethered = [sys.executable, "-m", "launcher.tether", "--orphaned", "SIGKILL", "--", *command]
                processes[name] = subprocess.Popen(tethered, env=environment, cwd=ROOT, stdout=log, stderr=log)
            if name == "valkey":
                _wait(lambda: _pings(redis_url), processes, folder)
        _wait(lambda: _is_ready(url, folder / "bundles"), processes, folder)
        yield Service(url, processes["worker"].pid)
    finally:
        for process in reversed(processes.values()):
            process.kill()
            process.wait()
        shutil.rmtree(folder)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(condition: Callable[[], bool], processes: dict[str, "subprocess.Popen[bytes]"], folder: Path) -> None:
    """Until `condition`; RuntimeError with the end of the logs if a process dies or time runs out."""
    deadline = time.monotonic() + START_S
    while not condition():
        dead = [name for name, process in processes.items() if process.poll() is not None]
        if dead or time.monotonic() > deadline:
            logs = "\n".join((folder / f"{name}.log").read_text()[-2000:] for name in dead or processes)
            raise RuntimeError(f"the service does not start ({', '.join(dead) or 'timeout'}):\n{logs}")
        time.sleep(0.2)


def _pings(redis_url: str) -> bool:
    try:
        with Redis.from_url(redis_url, socket_timeout=1.0) as client:
            return bool(client.ping())
    except RedisError:
        return False


def _is_ready(url: str, bundles: Path) -> bool:
    try:
        models = httpx.get(f"{url}/readyz", timeout=5.0).json().get("models", [])
    except httpx.TransportError:
        return False
    return set(models) == {path.name for path in bundles.iterdir()}
