"""Score maps as numbers and as a picture."""

import io
import json

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.app.parts import delete_once_read, grey, image_file, result
from worker.leases import Leases, Update

LOG_PROB = -np.arange(48, dtype="<f4").reshape(8, 6, 1) / 10


def scored(client: TestClient, leases: Leases, per_pixel: bool = True) -> str:
    data = {"model": "clothes", "condition": "each", "per_pixel": str(per_pixel)}
    job_id = client.post("/v1/scores", data=data, files={"image": image_file(grey())}).json()["id"]
    claim = leases.claim(job_id, "worker", "token", "profile")
    assert claim is not None
    results = [result(0, LOG_PROB.tobytes() if per_pixel else b"")]
    leases.flush([Update(job_id, claim.attempt, results=results, next_state="succeeded")])
    return f"/v1/jobs/{job_id}"


def test_the_numbers_are_the_workers(client: TestClient, leases: Leases) -> None:
    job = scored(client, leases)
    numbers = np.load(io.BytesIO(client.get(f"{job}/maps/0.npy").content))
    assert numbers.dtype == np.float32 and (numbers == LOG_PROB).all()


def test_the_picture_is_bright_where_the_image_surprises(client: TestClient, leases: Leases) -> None:
    image = Image.open(io.BytesIO(client.get(f"{scored(client, leases)}/maps/0").content))
    values = np.asarray(image)
    assert (values[0, 0], values[-1, -1]) == (0, 255)
    assert json.loads(image.info["scanline-map"]) == {"unit": "nats", "black": 0.0, "white": 4.7}


@pytest.mark.parametrize("path", ["maps/1", "maps/1.npy"])
def test_a_map_beyond_n_is_not_found(client: TestClient, leases: Leases, path: str) -> None:
    assert client.get(f"{scored(client, leases)}/{path}").json()["error"]["code"] == "not_found"


@pytest.mark.parametrize("path", ["maps/0", "maps/0.npy"])
def test_a_job_that_is_deleted_while_its_map_is_read_is_gone(
    client: TestClient, leases: Leases, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    job = scored(client, leases)
    delete_once_read(monkeypatch)
    answer = client.get(f"{job}/{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "job_expired")


def test_without_per_pixel_there_is_no_map(client: TestClient, leases: Leases) -> None:
    job = scored(client, leases, per_pixel=False)
    answer = client.get(f"{job}/maps/0")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert "per_pixel" in answer.json()["detail"]


def test_a_score_job_has_no_images(client: TestClient, leases: Leases) -> None:
    answer = client.get(f"{scored(client, leases)}/images/0")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["maps/" + "9" * 5000, "maps/" + "9" * 5000 + ".npy", "maps/one"])
def test_what_is_no_number_of_an_image_is_refused(client: TestClient, leases: Leases, path: str) -> None:
    assert client.get(f"{scored(client, leases)}/{path}").status_code in (404, 422)
