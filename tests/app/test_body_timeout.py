"""A body that stops coming, sent by hand to the real server."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.parts import CARDS, publish
from tests.end_to_end.services import Api, running_api
from tests.services import Valkey
from worker.leases import Leases

TIMEOUT_S = 1.0
BODY = json.dumps({"model": "ink"}).encode()
FORM = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\nhalf of a file'


@pytest.fixture(scope="module")
def api(valkey: Valkey, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    log: Path = tmp_path_factory.mktemp("api") / "log"
    with running_api(valkey.url, log, body_timeout_s=str(TIMEOUT_S)) as running:
        yield running
        assert "Traceback" not in log.read_text()


@pytest.fixture(autouse=True)
def cards(leases: Leases) -> None:
    publish(leases, CARDS)


def connected(api: Api, method: str, path: str, *headers: str) -> socket.socket:
    """A connection that has sent its head and nothing of its body."""
    url = api.client.base_url
    connection = socket.create_connection((url.host, url.port), timeout=10)
    head = [f"{method} {path} HTTP/1.1", f"Host: {url.host}", *headers]
    connection.sendall("\r\n".join(head).encode() + b"\r\n\r\n")
    return connection


def answer_of(connection: socket.socket) -> tuple[http.client.HTTPResponse, bytes]:
    answer = http.client.HTTPResponse(connection)
    answer.begin()
    return answer, answer.read()


@pytest.mark.parametrize(
    ("path", "headers", "sent"),
    [
        ("/v1/samples", ["Content-Type: application/json", f"Content-Length: {len(BODY)}"], b""),
        ("/v1/samples", ["Content-Type: application/json", f"Content-Length: {len(BODY)}"], BODY[:9]),
        (
            "/v1/samples",
            ["Content-Type: application/json", "Transfer-Encoding: chunked"],
            b"4\r\n" + BODY[:4] + b"\r\n",
        ),
        ("/v1/completions", ["Content-Type: multipart/form-data; boundary=x", "Content-Length: 999"], FORM),
    ],
    ids=["nothing of it", "half of it", "a chunk of it", "half of a file"],
)
def test_a_body_that_stops_is_answered_and_its_connection_closed(
    api: Api, path: str, headers: list[str], sent: bytes
) -> None:
    with connected(api, "POST", path, *headers) as connection:
        connection.sendall(sent)
        began = time.monotonic()
        answer, body = answer_of(connection)
        assert TIMEOUT_S - 0.1 < time.monotonic() - began < TIMEOUT_S + 3
        assert (answer.status, json.loads(body)["error"]["code"]) == (408, "body_timeout")
        assert answer.getheader("Content-Type") == "application/problem+json"
        assert answer.getheader("Connection") == "close" and connection.recv(1) == b""


def test_a_slow_body_that_comes_is_waited_for(api: Api) -> None:
    headers = ["Content-Type: application/json", f"Content-Length: {len(BODY)}"]
    with connected(api, "POST", "/v1/samples", *headers) as connection:
        for start in range(0, len(BODY), 4):
            time.sleep(0.4 * TIMEOUT_S)
            connection.sendall(BODY[start : start + 4])
        assert answer_of(connection)[0].status == 202


def test_a_wait_for_a_job_or_its_events_may_be_longer(api: Api) -> None:
    waited = api.client.post("/v1/samples", json={"model": "ink"}, headers={"Prefer": f"wait={2 * TIMEOUT_S:.0f}"})
    assert waited.status_code == 202
    path = f"/v1/jobs/{waited.json()['id']}/events"
    with connected(api, "GET", path) as connection:
        time.sleep(2 * TIMEOUT_S)
        api.client.post(path.replace("events", "cancel"))
        answer, text = answer_of(connection)
        assert answer.status == 200 and b"event: canceled" in text


def test_a_stream_of_events_whose_request_never_ends_is_ended(api: Api) -> None:
    job_id = api.client.post("/v1/samples", json={"model": "ink"}).json()["id"]
    with connected(api, "GET", f"/v1/jobs/{job_id}/events", "Content-Length: 9") as connection:
        began = time.monotonic()
        while connection.recv(4096):
            pass
        assert time.monotonic() - began < TIMEOUT_S + 8  # the server closes an idle connection after 5 s
