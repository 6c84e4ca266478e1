from collections.abc import Iterator

import pytest
import torch

from tests.services import Valkey
from worker.leases import Leases
from worker.protocol import JobRequest
from worker.records import Limits, Records


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """As in the worker: several threads on such small products only get in each other's way."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Valkey]:
    with Valkey() as valkey:
        yield valkey


@pytest.fixture
def valkey(server: Valkey) -> Iterator[Valkey]:
    """An empty Valkey."""
    server.client.flushall()
    yield server


@pytest.fixture
def records(valkey: Valkey) -> Records:
    return Records(valkey.client, Limits())


@pytest.fixture
def leases(valkey: Valkey) -> Leases:
    return Leases(valkey.client, Limits())


@pytest.fixture
def request_() -> JobRequest:
    """Two samples of 3 x 4 pixels."""
    return JobRequest("sample", "tiny", "0" * 64, 3, 4, 1, 2, n=2, seed=7)
