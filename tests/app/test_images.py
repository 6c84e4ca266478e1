"""Images of a job, alone and together."""

import io
import json
import zipfile

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from tests.app.parts import delete_once_read, draw
from worker.leases import Leases
from worker.records import Records

ASK = {"model": "ink", "n": 3, "seed": 5}


@pytest.fixture
def drawn(client: TestClient, leases: Leases) -> tuple[str, list[np.ndarray]]:
    """The address of a finished job of three binary images, and their levels [row, col, channel]."""
    job_id = client.post("/v1/samples", json=ASK).json()["id"]
    return f"/v1/jobs/{job_id}", draw(leases, job_id)


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


def test_an_image_is_a_png_with_the_levels_spread_over_a_byte(
    client: TestClient, drawn: tuple[str, list[np.ndarray]]
) -> None:
    job, images = drawn
    answer = client.get(f"{job}/images/1")
    assert answer.headers["Content-Type"] == "image/png"
    assert (np.asarray(opened(answer.content)) == images[1][:, :, 0] * 255).all()


def test_an_image_carries_its_receipt(client: TestClient, drawn: tuple[str, list[np.ndarray]]) -> None:
    image = opened(client.get(f"{drawn[0]}/images/2").content)
    assert json.loads(image.info["scanline-receipt"]) == {"sample": 2}


def test_an_image_is_immutable_and_comes_once(client: TestClient, drawn: tuple[str, list[np.ndarray]]) -> None:
    first = client.get(f"{drawn[0]}/images/0")
    assert "immutable" in first.headers["Cache-Control"]
    again = client.get(f"{drawn[0]}/images/0", headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    other = client.get(f"{drawn[0]}/images/1", headers={"If-None-Match": first.headers["ETag"]})
    assert other.status_code == 200


def test_the_zip_holds_the_very_same_files(client: TestClient, drawn: tuple[str, list[np.ndarray]]) -> None:
    answer = client.get(f"{drawn[0]}/images.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.namelist() == ["ink-5-0.png", "ink-5-1.png", "ink-5-2.png"]
        for k, name in enumerate(archive.namelist()):
            assert archive.read(name) == client.get(f"{drawn[0]}/images/{k}").content
    assert client.get(f"{drawn[0]}/images.zip").content == answer.content


def test_the_npy_holds_the_raw_levels(client: TestClient, drawn: tuple[str, list[np.ndarray]]) -> None:
    array = np.load(io.BytesIO(client.get(f"{drawn[0]}/images.npy").content))
    assert array.dtype == np.uint8
    assert (array == np.stack(drawn[1])).all()


def test_the_grid_shows_all_with_lines_between(client: TestClient, drawn: tuple[str, list[np.ndarray]]) -> None:
    sheet = np.asarray(opened(client.get(f"{drawn[0]}/grid").content))
    assert sheet.shape == (17, 13)
    assert (sheet[:8, :6] == drawn[1][0][:, :, 0] * 255).all()
    assert (sheet[9:, :6] == drawn[1][2][:, :, 0] * 255).all()
    assert (sheet[8] == 128).all() and (sheet[9:, 7:] == 128).all()


@pytest.mark.parametrize("k", [3, -1])
def test_an_image_beyond_n_is_not_found(client: TestClient, drawn: tuple[str, list[np.ndarray]], k: int) -> None:
    answer = client.get(f"{drawn[0]}/images/{k}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert "0 to 2" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["images/0", "images.zip", "images.npy", "grid"])
def test_what_is_not_drawn_yet_says_so(client: TestClient, leases: Leases, path: str) -> None:
    job_id = client.post("/v1/samples", json=ASK).json()["id"]
    draw(leases, job_id, end=None, rows=2)
    answer = client.get(f"/v1/jobs/{job_id}/{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_drawn_yet")


def test_a_colour_image_keeps_its_channels(client: TestClient, leases: Leases) -> None:
    ask = {"model": "colour", "height": 4, "width": 5}
    job_id = client.post("/v1/samples", json=ask).json()["id"]
    images = draw(leases, job_id)
    assert (np.asarray(opened(client.get(f"/v1/jobs/{job_id}/images/0").content)) == images[0]).all()


@pytest.mark.parametrize("path", ["images/0", "images.zip", "images.npy", "grid"])
def test_a_job_that_is_deleted_while_its_images_are_read_is_gone(
    client: TestClient, drawn: tuple[str, list[np.ndarray]], monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    delete_once_read(monkeypatch)
    answer = client.get(f"{drawn[0]}/{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (410, "job_expired")


@pytest.mark.parametrize("path", ["images/1", "images.zip", "images.npy", "grid"])
def test_an_image_that_the_store_has_lost_is_missed_by_name(
    client: TestClient, drawn: tuple[str, list[np.ndarray]], records: Records, path: str
) -> None:
    assert records.client.delete(f"scanline:{drawn[0].replace('/v1/jobs/', 'job:')}:canvas:1") == 1
    answer = client.get(f"{drawn[0]}/{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_drawn_yet")
    assert "Image 1 has gone" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["images/1", "images.zip", "images.npy", "grid"])
def test_nothing_is_read_for_a_client_that_has_it(
    client: TestClient, drawn: tuple[str, list[np.ndarray]], records: Records, path: str
) -> None:
    whole = client.get(f"{drawn[0]}/{path}")
    records.client.delete(f"scanline:{drawn[0].replace('/v1/jobs/', 'job:')}:canvas:1")
    assert client.get(f"{drawn[0]}/{path}").status_code == 404
    again = client.get(f"{drawn[0]}/{path}", headers={"If-None-Match": whole.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == whole.headers["ETag"]


def test_no_two_files_of_all_jobs_are_taken_for_the_same(client: TestClient, leases: Leases) -> None:
    """Not those of two jobs either whose images are the same."""
    etags = []
    for _ in range(2):
        job_id = client.post("/v1/samples", json=ASK).json()["id"]
        draw(leases, job_id)
        for path in ("images/0", "images/1", "images.zip", "images.npy", "grid"):
            etags.append(client.get(f"/v1/jobs/{job_id}/{path}").headers["ETag"])
    assert len(set(etags)) == 10


@pytest.mark.parametrize("path", ["images/0", "images.zip", "images.npy", "grid"])
def test_what_is_not_drawn_yet_or_has_gone_is_held_by_nobody(client: TestClient, leases: Leases, path: str) -> None:
    job_id = client.post("/v1/samples", json=ASK).json()["id"]
    draw(leases, job_id, end=None, rows=2)
    held = {"If-None-Match": "*"}
    assert client.get(f"/v1/jobs/{job_id}/{path}", headers=held).status_code == 404
    client.delete(f"/v1/jobs/{job_id}")
    assert client.get(f"/v1/jobs/{job_id}/{path}", headers=held).status_code == 410
