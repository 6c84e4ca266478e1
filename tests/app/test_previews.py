"""Previews of a stream of events: each shows the image as it stood, and costs no more than its new rows."""

import base64
import io
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from redis import Redis

from app.previews import Previews
from tests.app.parts import COLOUR, DENSITY, draw, image_file, publish, sample_levels
from tests.end_to_end.services import running_api
from tests.services import Valkey
from worker.leases import Leases, Sweep, Update
from worker.records import Records

SIDE = 256
ASK = {"model": "colour", "n": 2, "height": SIDE, "width": SIDE}


def begun(client: Any, **fields: Any) -> str:
    job_id: str = client.post("/v1/samples", json=ASK | fields).json()["id"]
    return job_id


def progress(text: str) -> list[dict[str, Any]]:
    blocks = [dict(line.split(": ", 1) for line in block.splitlines()) for block in text.strip().split("\n\n")]
    return [json.loads(block["data"]) for block in blocks if block["event"] == "progress"]


def picture(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def told(sample: int, *rows: int) -> list[dict[str, int]]:
    return [{"sample": sample, "row": row} for row in rows]


def read_bytes(store: "Redis") -> int:
    """What Valkey has sent to all its clients."""
    count: int = store.info("stats")["total_net_output_bytes"]  # type: ignore[index]
    return count


def test_every_event_shows_its_images_as_they_stood(client: TestClient, leases: Leases) -> None:
    job_id = begun(client, height=12, width=5)
    images = draw(leases, job_id)
    events = progress(client.get(f"/v1/jobs/{job_id}/events", params={"preview": "png"}).text)
    for rows, event in enumerate(events[:12], start=1):
        assert [(entry["sample"], entry["rows"]) for entry in event["previews"]] == [(0, rows), (1, rows)]
        for entry in event["previews"]:
            shown = picture(base64.b64decode(entry["png"]))
            assert (shown[:rows, :, :3] == images[entry["sample"]][:rows]).all() and (shown[:rows, :, 3] == 255).all()
            assert (shown[rows:] == 0).all()
    assert events[12]["previews"] == []  # the results alone


def test_a_replay_reads_each_row_once(client: TestClient, leases: Leases, store: "Redis") -> None:
    job_id = begun(client)
    images = draw(leases, job_id)
    client.get(f"/v1/jobs/{job_id}/events")
    before = read_bytes(store)
    client.get(f"/v1/jobs/{job_id}/events")
    plain = read_bytes(store) - before
    client.get(f"/v1/jobs/{job_id}/events", params={"preview": "png"})
    previewed = read_bytes(store) - before - plain
    canvases = sum(image.size for image in images)
    assert canvases < previewed - plain < 1.5 * canvases


def test_a_listener_that_comes_late_or_hears_of_a_new_beginning_sees_whole_images(
    client: TestClient, leases: Leases, records: Records
) -> None:
    job_id = begun(client, height=12, width=5)
    image = draw(leases, job_id, end=None, rows=9)[1]
    previews = Previews(records, records.get(job_id))
    for rows in (told(1, 4, 5), told(1, 6), told(1, 0, 1), told(1, 2)):
        ((sample, count, png),) = previews.after(rows)
        assert (sample, count) == (1, rows[-1]["row"] + 1)
        assert (picture(png)[:count, :, :3] == image[:count]).all() and (picture(png)[count:] == 0).all()


def test_rows_that_have_gone_are_not_shown(client: TestClient, leases: Leases, records: Records) -> None:
    job_id = begun(client, height=12, width=5)
    draw(leases, job_id, end=None, rows=3)
    record = records.get(job_id)
    ((_, count, png),) = Previews(records, record).after(told(0, 0, 1, 2, 3, 4))
    assert count == 3 and (picture(png)[3:] == 0).all()
    records.delete(job_id)
    ((_, count, png),) = Previews(records, record).after(told(0, 3))
    assert count == 0 and (picture(png) == 0).all()


def test_the_margin_of_a_density_is_not_shown(client: TestClient, leases: Leases, records: Records) -> None:
    publish(leases, (DENSITY,))
    job_id = begun(client, model="density", n=1, height=4, width=3, margin=2)
    claim = leases.claim(job_id, "test-worker", "token", "torch-cpu")
    assert claim is not None
    canvas = np.random.default_rng(0).uniform(0, 256, (6, 7, 1)).astype("<f4")
    rows = [(0, row, levels.tobytes()) for row, levels in enumerate(canvas)]
    leases.flush([Update(job_id, claim.attempt, rows)])
    previews = Previews(records, records.get(job_id))
    for row in range(4):
        ((_, count, png),) = previews.after(told(0, row))
        assert count == row + 1
        assert (picture(png)[:count, :, :3] == np.floor(canvas[2 : 2 + count, 2:-2])).all()


def test_a_swept_hole_is_shown_as_it_is_now(client: TestClient, leases: Leases, records: Records) -> None:
    pixels = sample_levels(8, 6, 1, 0)[:, :, 0] * 255
    hole = np.full((8, 6), 255, np.uint8)
    hole[3, 2] = 0
    files = {"image": image_file(pixels), "mask": image_file(hole)}
    job_id = client.post("/v1/completions", data={"model": "ink", "sweeps": "2"}, files=files).json()["id"]
    claim = leases.claim(job_id, "test-worker", "token", "torch-cpu")
    assert claim is not None
    previews = Previews(records, records.get(job_id))
    for sweep in (1, 2):
        canvas = sample_levels(8, 6, 1, sweep)
        leases.flush([Update(job_id, claim.attempt, sweeps=[Sweep(0, 8 * sweep, canvas.tobytes(), "{}")])])
        ((_, count, png),) = previews.after(told(0, 3))
        assert count == 8 and (picture(png)[:, :, :3] == canvas * 255).all()


def test_nothing_is_drawn_for_a_client_that_has_gone(valkey: Valkey, leases: Leases, tmp_path: Path) -> None:
    publish(leases, (COLOUR,))
    with running_api(valkey.url, tmp_path / "log") as api:
        job_id = begun(api.client)
        draw(leases, job_id)
        with api.client.stream("GET", f"/v1/jobs/{job_id}/events", params={"preview": "png"}) as answer:
            next(answer.iter_raw())
        time.sleep(1)
        calls = leases.client.info("commandstats")["cmdstat_getrange"]["calls"]  # type: ignore[index]
        time.sleep(1)
        assert leases.client.info("commandstats")["cmdstat_getrange"]["calls"] == calls  # type: ignore[index]


@pytest.mark.parametrize("sample", [0, 1])
def test_only_images_that_have_grown_are_drawn(
    client: TestClient, leases: Leases, records: Records, sample: int
) -> None:
    job_id = begun(client, height=12, width=5)
    draw(leases, job_id, end=None, rows=3)
    previews = Previews(records, records.get(job_id))
    assert [number for number, _, _ in previews.after(told(sample, 0, 1))] == [sample]
    assert list(previews.after([])) == []
