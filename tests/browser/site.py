"""The whole service for a browser: Valkey, a worker with eight small models and a damaged one, the HTTP process."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.services import ROOT, Valkey, running_worker, wait_until, write_tiny_bundle, write_tiny_density

GREY, BINARY, COLOUR, DENSITY, SLOW, DAMAGED = "grey", "binary", "rgb", "texture", "slow", "damaged"
PORTRAITS, TAGGED, LARGER = "portraits", "tagged", "larger"
CLASSES = ["class 0", "class 1", "class 2"]
TAGS = ("red", "round", "small & light")
SLOW_SIZE, SLOW_N, SLOW_LAYERS = 64, 8, 20
"""So many images of this size take some seconds, drawn by torch: long enough to look at some that are half drawn, even
for a browser that has to share its core. The native interpreter would be done before the page is."""


@dataclass
class Site:
    """`python -m app` in a process of its own, always at the same address."""

    redis_url: str
    log_file: Path
    port: int = field(default_factory=lambda: free_port())
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SCANLINE_REDIS_URL": self.redis_url,
            "SCANLINE_PORT": str(self.port),
        }
        with self.log_file.open("ab") as log:
            argv = [sys.executable, "-m", "app"]
            self.process = subprocess.Popen(argv, env=environment, cwd=ROOT, stdout=log, stderr=log)
        wait_until(self.answers, 60, "the page")

    def kill(self) -> None:
        """kill -9: every open connection breaks."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}healthz").is_success
        except httpx.TransportError:
            return False

    def admitted(self) -> set[str]:
        models = httpx.get(f"{self.url}v1/models").json()["data"]
        return {model["id"] for model in models if model["status"] == "admitted"}


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    bundles = folder / "bundles"
    write_tiny_bundle(bundles, GREY, num_levels=16, num_classes=len(CLASSES))
    write_tiny_bundle(bundles, BINARY)
    write_tiny_bundle(bundles, COLOUR, architecture="row_lstm", channels=3, num_levels=256)
    write_tiny_bundle(bundles, SLOW, height=SLOW_SIZE, width=SLOW_SIZE, layers=SLOW_LAYERS)
    write_tiny_density(bundles, DENSITY)
    write_tiny_bundle(bundles, PORTRAITS, embedding=4)
    write_tiny_bundle(bundles, TAGGED, tags=TAGS)
    write_tiny_bundle(bundles, LARGER, conditioned_map="image")
    write_tiny_bundle(bundles, DAMAGED)
    (bundles / DAMAGED / "model.safetensors").write_bytes(b"not weights")
    with Valkey() as valkey, running_worker(valkey, bundles, folder / "worker.log", interpreter="torch"):
        site = Site(valkey.url, folder / "app.log")
        site.start()
        try:
            usable = {GREY, BINARY, COLOUR, DENSITY, LARGER, PORTRAITS, SLOW, TAGGED}
            wait_until(lambda: site.admitted() == usable, 180, "the admission of all models")
            yield site
        finally:
            site.kill()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
