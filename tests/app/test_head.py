"""HEAD of every kind of address: the headers of GET, no body."""

import http.client
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from app.services import Services
from tests.app.parts import draw, publish
from tests.end_to_end.services import running_api
from tests.services import Valkey, wait_until
from worker.leases import Leases

FILES = ("images/0", "images.zip", "images.npy", "grid")


def drawn(client: TestClient, leases: Leases) -> str:
    job_id = client.post("/v1/samples", json={"model": "ink", "n": 2, "seed": 5}).json()["id"]
    draw(leases, job_id)
    return f"/v1/jobs/{job_id}"


PAGES = ("/", "/main.js", "/docs", "/errors", "/docs.css", "/openapi.json")
CALLS = ("/v1/models", "/v1/models/ink", "/v1/jobs", "/v1/jobs/none", "/healthz", "/readyz", "/nothing")


@pytest.mark.parametrize("path", [*PAGES, *CALLS])
def test_a_head_has_the_headers_of_the_get_and_no_body(client: TestClient, path: str) -> None:
    whole, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers == whole.headers


@pytest.mark.parametrize("name", ["", *(f"/{name}" for name in FILES)])
def test_so_has_that_of_a_result(client: TestClient, leases: Leases, name: str) -> None:
    path = drawn(client, leases) + name
    whole, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(whole.content)) and head.headers.get("ETag") == whole.headers.get(
        "ETag"
    )
    held = client.head(path, headers={"If-None-Match": whole.headers.get("ETag", '"none"')})
    assert held.status_code == (304 if name else 200)


def test_a_call_that_has_no_get_has_no_head(client: TestClient) -> None:
    answer = client.head("/v1/samples")
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


def test_the_connection_goes_on_and_a_stream_of_events_ends(valkey: Valkey, leases: Leases, tmp_path: Path) -> None:
    """One connection to the real server: a body that came after all would be read as the next answer."""
    publish(leases)
    with running_api(valkey.url, tmp_path / "log") as api:
        job_id = api.client.post("/v1/samples", json={"model": "ink"}).json()["id"]
        connection = http.client.HTTPConnection(api.client.base_url.host, api.client.base_url.port, timeout=5)
        began = time.monotonic()
        for path, media_type in (
            (f"/v1/jobs/{job_id}", "application/json"),
            (f"/v1/jobs/{job_id}/events?preview=png", "text/event-stream"),
            ("/docs", "text/html"),
            ("/", "text/html"),
        ):
            connection.request("HEAD", path)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, b"")
            assert str(answer.getheader("Content-Type")).startswith(media_type)
        connection.close()
        assert time.monotonic() - began < 2  # the job is not drawn: its events would go on


def test_nobody_listens_to_a_stream_of_which_the_head_was_asked(client: TestClient) -> None:
    job_id = client.post("/v1/samples", json={"model": "ink"}).json()["id"]
    assert client.head(f"/v1/jobs/{job_id}/events").status_code == 200
    services: Services = client.app.state.services  # type: ignore[attr-defined]
    wait_until(lambda: services.feed.num_channels == 0, what="the end of the stream")
