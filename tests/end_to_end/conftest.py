"""The whole service on tiny bundles with random weights: Valkey, a worker process and the HTTP process, all real."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.family import DENSITIES, FAMILY, HEIGHT, WIDTH
from tests.end_to_end.services import SLOW_SIZE, Api, running_api
from tests.services import (
    SLOW_LAYERS,
    Valkey,
    WorkerProcess,
    running_worker,
    wait_until,
    write_tiny_bundle,
    write_tiny_density,
)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Logs and bundles. `ink` is quick, `slow` takes a moment an image; one has the name that the examples use, and
    there is one of every architecture beside."""
    folder = tmp_path_factory.mktemp("service")
    bundles = folder / "bundles"
    bundles.mkdir()
    write_tiny_bundle(bundles, "ink")
    write_tiny_bundle(bundles, "slow", height=SLOW_SIZE, width=SLOW_SIZE, num_levels=4, seed=2, layers=SLOW_LAYERS)
    write_tiny_bundle(bundles, "gated-pixelcnn-mnist", height=28, width=28, num_levels=16, num_classes=10, seed=1)
    write_tiny_bundle(bundles, "portraits", embedding=4)
    write_tiny_bundle(bundles, "tagged", tags=("red", "round", "small"))
    write_tiny_bundle(bundles, "larger", conditioned_map="image")
    for name, facts in FAMILY.items():
        write_tiny_bundle(bundles, name, height=HEIGHT, width=WIDTH, **facts)
    for name, facts in DENSITIES.items():
        write_tiny_density(bundles, name, **facts)
    return folder


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


@pytest.fixture(scope="session")
def worker(valkey: Valkey, folder: Path) -> Iterator[WorkerProcess]:
    with running_worker(valkey, folder / "bundles", folder / "worker.log") as process:
        yield process


@pytest.fixture(scope="session")
def api(valkey: Valkey, worker: WorkerProcess, folder: Path) -> Iterator[Api]:
    """The service, ready to draw."""
    num_bundles = sum(1 for _ in (folder / "bundles").iterdir())
    with running_api(valkey.url, folder / "api.log") as api:
        wait_until(lambda: len(api.client.get("/readyz").json().get("models", [])) == num_bundles, 120, "all bundles")
        yield api
