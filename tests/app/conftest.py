"""One real Valkey and one app for all tests of the HTTP process; the store is emptied before each test."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from app.main import create_app
from app.settings import Settings
from tests.app.parts import publish
from tests.services import Valkey
from worker.leases import Leases
from worker.records import Limits, Records


@pytest.fixture(scope="session")
def valkey() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


@pytest.fixture(scope="session")
def store(valkey: Valkey) -> Iterator["Redis"]:
    with valkey.client as client:
        yield client


@pytest.fixture(scope="session")
def running_app(valkey: Valkey) -> Iterator[TestClient]:
    settings = Settings(
        redis_url=valkey.url, max_samples=8, max_upload_bytes=2**20, max_queue=20, max_image_pixels=2**18
    )
    with TestClient(create_app(settings)) as client:
        yield client


@pytest.fixture
def leases(store: "Redis") -> Leases:
    """The store as a worker sees it, emptied."""
    store.flushdb()
    return Leases(store, Limits())


@pytest.fixture
def records(leases: Leases) -> Records:
    return Records(leases.client, leases.limits)


@pytest.fixture
def client(running_app: TestClient, leases: Leases) -> TestClient:
    """The app, while a worker has published `tests.app.parts.CARDS`."""
    publish(leases)
    return running_app
