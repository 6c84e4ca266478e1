"""When Redis is gone, frozen or full: a 503 in a few seconds, never a hang, and all is well again after."""

import signal
import time
from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient
from redis import Redis

from app.main import create_app
from app.settings import Settings
from tests.app.parts import publish
from tests.services import Valkey
from worker.leases import Leases
from worker.records import Limits
from worker.store import PREFIX


@pytest.fixture(scope="module")
def own_valkey() -> Iterator[Valkey]:
    with Valkey() as server:
        yield server


@pytest.fixture
def own_client(own_valkey: Valkey) -> Iterator[TestClient]:
    with own_valkey.client as store, TestClient(create_app(Settings(redis_url=own_valkey.url))) as client:
        publish(Leases(store, Limits()))
        yield client


CALLS = (("POST", "/v1/samples"), ("GET", "/v1/jobs"), ("GET", "/readyz"), ("GET", "/metrics"))


def assert_unavailable(client: TestClient, calls: tuple[tuple[str, str], ...] = CALLS) -> None:
    for method, path in calls:
        began = time.monotonic()
        answer = client.request(method, path, json={"model": "ink"} if method == "POST" else None)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "store_unavailable")
        assert int(answer.headers["Retry-After"]) > 0
        assert time.monotonic() - began < 8
    assert client.get("/healthz").status_code == 200


def test_a_store_that_was_killed(own_valkey: Valkey, own_client: TestClient) -> None:
    assert own_client.post("/v1/samples", json={"model": "ink"}).status_code == 202
    time.sleep(1.1)  # until the append-only file has it
    own_valkey.kill()
    assert_unavailable(own_client)
    own_valkey.start()
    assert own_client.post("/v1/samples", json={"model": "ink"}).status_code == 202
    assert len(own_client.get("/v1/jobs").json()["data"]) == 2


def test_a_store_that_is_frozen(own_valkey: Valkey, own_client: TestClient) -> None:
    assert own_valkey.process is not None
    own_valkey.process.send_signal(signal.SIGSTOP)
    try:
        assert_unavailable(own_client, CALLS[:1])
    finally:
        own_valkey.process.send_signal(signal.SIGCONT)
    assert own_client.post("/v1/samples", json={"model": "ink"}).status_code == 202


def test_a_store_that_is_full(own_valkey: Valkey, own_client: TestClient) -> None:
    with own_valkey.client as store:
        store.config_set("maxmemory", 1)
        try:
            assert_unavailable(own_client, CALLS[:1])
        finally:
            store.config_set("maxmemory", 0)


@pytest.mark.parametrize(
    ("call", "key"), [(("POST", "/v1/samples"), "state:queued"), (("GET", "/v1/jobs"), "jobs")], ids=["script", "plain"]
)
def test_a_call_that_the_store_can_never_take_is_an_error_of_ours(
    client: TestClient, store: "Redis", caplog: pytest.LogCaptureFixture, call: tuple[str, str], key: str
) -> None:
    store.set(PREFIX + key, "of another kind than it should be")
    answer = client.request(*call, json={"model": "ink"} if call[0] == "POST" else None)
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal")
    assert "ERROR" in caplog.text and "WRONGTYPE" in caplog.text
