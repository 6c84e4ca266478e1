"""The event stream of a job that has ended; streams of running jobs are in tests/end_to_end."""

import base64
import io
import json
from typing import Any

import numpy as np
from fastapi.testclient import TestClient
from PIL import Image

from tests.app.parts import draw
from worker.leases import Leases


def drawn(client: TestClient, leases: Leases) -> str:
    job_id: str = client.post("/v1/samples", json={"model": "ink", "n": 2}).json()["id"]
    draw(leases, job_id)
    return f"/v1/jobs/{job_id}/events"


def fields_of(text: str) -> list[dict[str, str]]:
    blocks = (block.splitlines() for block in text.strip().split("\n\n"))
    return [dict(line.split(": ", 1) for line in block if not line.startswith(":")) for block in blocks]


def test_a_stream_is_plain_server_sent_events(client: TestClient, leases: Leases) -> None:
    answer = client.get(drawn(client, leases))
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert answer.headers["Cache-Control"] == "no-cache" and answer.headers["X-Accel-Buffering"] == "no"
    events = fields_of(answer.text)
    kinds = ["queued", "started", *["progress"] * 9, "sample", "sample", "succeeded"]
    assert [event["event"] for event in events] == kinds
    assert all(set(event) == {"id", "event", "data"} for event in events)
    assert json.loads(events[2]["data"])["done"] == 12


def test_last_event_id_wins_over_after(client: TestClient, leases: Leases) -> None:
    path = drawn(client, leases)
    ids = [event["id"] for event in fields_of(client.get(path).text)]
    answer = client.get(path, params={"after": ids[0]}, headers={"Last-Event-ID": ids[-2]})
    assert [event["id"] for event in fields_of(answer.text)] == ids[-1:]


def test_the_last_event_is_followed_by_no_content(client: TestClient, leases: Leases) -> None:
    path = drawn(client, leases)
    last = fields_of(client.get(path).text)[-1]["id"]
    assert client.get(path, params={"after": last}).status_code == 204


def test_a_preview_is_the_image_as_it_stood(client: TestClient, leases: Leases) -> None:
    events = fields_of(client.get(drawn(client, leases), params={"preview": "png"}).text)
    progress: list[dict[str, Any]] = [json.loads(event["data"]) for event in events if event["event"] == "progress"]
    previews = [entry for entry in progress[2]["previews"] if entry["sample"] == 1]
    image = np.asarray(Image.open(io.BytesIO(base64.b64decode(previews[0]["png"]))))
    assert previews[0]["rows"] == 3
    assert (image[:3, :, 3] == 255).all() and (image[3:] == 0).all()


def test_a_bad_query_is_refused(client: TestClient, leases: Leases) -> None:
    path = drawn(client, leases)
    assert client.get(path, params={"preview": "gif"}).json()["error"]["param"] == "preview"
    assert client.get(path, params={"since": "1"}).json()["error"]["code"] == "unknown_field"
    assert client.get(path, params={"after": "x"}).json()["error"]["code"] == "invalid_header"
