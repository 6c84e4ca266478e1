"""A page that has pointed its own name at this machine gets no answer; every name that can be ours does."""

from collections.abc import Iterator

import pytest
from fastapi.testclient import TestClient

from app.main import create_app
from app.settings import Settings
from tests.services import Valkey


@pytest.fixture
def named_client(valkey: Valkey) -> Iterator[TestClient]:
    settings = Settings(redis_url=valkey.url, host="listens.example.org", allowed_hosts="Scanline.example.org, b.org")
    with TestClient(create_app(settings)) as client:
        yield client


def assert_refused(client: TestClient, host: str, name: str) -> None:
    """Whatever it asks, and although its own page asks: this is what a browser sends of a site without TLS."""
    for method, path, headers in (("GET", "/v1/jobs", {}), ("GET", "/", {}), ("POST", "/v1/samples", {"Origin": host})):
        answer = client.request(method, path, headers={"Host": host, **headers})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "unknown_host")
        assert f"`{name}`" in answer.json()["detail"] and "SCANLINE_ALLOWED_HOSTS" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("rebound.example:8000", "rebound.example"),
        ("Rebound.Example", "rebound.example"),
        ("127.0.0.1.rebound.example", "127.0.0.1.rebound.example"),
        ("localhost.example", "localhost.example"),
        ("127.0.0.1@rebound.example", "rebound.example"),
        ("[rebound.example", "[rebound.example"),
        ("scanline.example.org", "scanline.example.org"),
    ],
)
def test_a_name_that_anyone_may_own_is_refused(client: TestClient, host: str, name: str) -> None:
    assert_refused(client, host, name)


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1:8000",
        "localhost:8000",
        "LOCALHOST",
        "[::1]:8000",
        "192.168.1.7:8000",
        "[fd00::7]",
        "api:8000",
        "box.local",
        "host.docker.internal:8000",
        "api.default.svc.cluster.local",
        "scanline.localhost:8000",
    ],
)
def test_addresses_and_private_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/v1/jobs", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["scanline.example.org:8000", "SCANLINE.example.org", "b.org", "listens.example.org"])
def test_names_of_the_settings_are_answered(named_client: TestClient, host: str) -> None:
    assert named_client.get("/healthz", headers={"Host": host}).status_code == 200
    assert_refused(named_client, "not-b.org", "not-b.org")
