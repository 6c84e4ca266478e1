"""POST /v1/scores: files in a form or base64 in JSON."""

import base64
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.errors import ApiError, Code
from app.request_models import ScoreFields
from app.scores import score_submission
from app.settings import Settings
from tests.app.parts import CLOTHES, NAMES, grey, image_file
from worker.leases import Leases
from worker.records import CLASS_BYTES, Records

GREY, DARK = image_file(grey()), image_file(np.zeros((8, 6)))
FORM = {"model": "clothes", "condition": "each"}


def text(file: bytes) -> str:
    return base64.b64encode(file).decode()


def test_a_form_carries_one_or_more_images(client: TestClient, leases: Leases) -> None:
    data = FORM | {"per_pixel": "true"}
    answer = client.post("/v1/scores", data=data, files=[("image", GREY), ("image", DARK)])
    job = answer.json()
    assert answer.status_code == 202 and job["kind"] == "score"
    assert job["request"]["n"] == 2 and job["request"]["seed"] is None and job["request"]["per_pixel"] is True
    assert job["links"]["maps"] == [f"/v1/jobs/{job['id']}/maps/0", f"/v1/jobs/{job['id']}/maps/1"]
    claim = leases.claim(job["id"], "worker", "token", "profile")
    assert claim is not None and claim.uploads == [grey().tobytes(), bytes(48)]
    assert claim.request.condition == {"each": True} and claim.request.per_pixel


def test_room_is_set_aside_for_every_class(client: TestClient, records: Records) -> None:
    taken = []
    for condition in ('{"class": "Sandal"}', "each"):
        job = client.post("/v1/scores", data=FORM | {"condition": condition}, files={"image": GREY}).json()
        taken.append(records.counts()["bytes"])
        client.delete(f"/v1/jobs/{job['id']}")
    assert taken[1] - taken[0] > 2 * len(NAMES) * CLASS_BYTES


@pytest.mark.parametrize("head", ["", "data:image/png;base64,"])
def test_json_carries_them_in_base64(client: TestClient, leases: Leases, head: str) -> None:
    body = {"model": "clothes", "condition": {"class": 0}, "images": [head + text(GREY), text(DARK)]}
    job = client.post("/v1/scores", json=body).json()
    claim = leases.claim(job["id"], "worker", "token", "profile")
    assert claim is not None and claim.uploads == [grey().tobytes(), bytes(48)]
    assert claim.request.condition == {"class": 0}


def see_through() -> bytes:
    image = Image.fromarray(grey()).convert("LA")
    image.putpixel((0, 0), (0, 0))
    return image_file(image)


REFUSED: list[tuple[dict[str, Any], int, str, str, str]] = [
    ({"images": []}, 422, "invalid_field", "images", "at least 1 item"),
    ({}, 422, "missing_field", "images", "`images` is missing"),
    ({"images": ["?"]}, 422, "invalid_field", "images.0", "base64"),
    ({"images": ["é"]}, 422, "invalid_field", "images.0", "base64"),
    ({"images": [text(GREY), text(b"text")]}, 415, "unsupported_image", "images.1", "PNG, JPEG or WebP"),
    ({"images": [text(see_through())]}, 422, "image_does_not_fit", "images.0", "opaque"),
    ({"images": [text(image_file(grey(3, 3)))]}, 422, "image_does_not_fit", "images.0", "6x8"),
    ({"images": [text(GREY)] * 9}, 422, "invalid_field", "image", "at most 8"),
    ({"images": [text(GREY)], "condition": "every"}, 422, "condition_not_taken", "condition", '"each"'),
    ({"images": [text(GREY)], "condition": None}, 422, "condition_required", "condition", '"each"'),
    ({"images": [text(GREY)], "per_pixel": "true"}, 422, "invalid_field", "per_pixel", "boolean"),
    ({"images": [text(GREY)], "n": 1}, 422, "unknown_field", "n", "model, fit, levels"),
]


@pytest.mark.parametrize(("body", "status", "code", "param", "words"), REFUSED)
def test_a_refusal_says_what_would_be_right(
    client: TestClient, body: dict[str, Any], status: int, code: str, param: str, words: str
) -> None:
    answer = client.post("/v1/scores", json={"model": "clothes", "condition": "each", **body})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert words in error["message"]


def test_the_pixels_of_all_files_are_counted_before_any_is_decoded() -> None:
    cut_short = DARK[:45]
    files = [(f"image.{k}", file) for k, file in enumerate((cut_short, GREY, DARK))]
    fields, enough = ScoreFields(model="clothes", condition="each"), 3 * 48
    with pytest.raises(ApiError) as caught:
        score_submission(CLOTHES, fields, files, Settings(max_request_pixels=enough - 1))
    error = caught.value
    assert (error.code, error.meaning.status, error.param) == (Code.IMAGE_TOO_LARGE, 413, "image")
    assert "144 pixels together; at most 143" in error.message and "send fewer" in error.message
    submission = score_submission(CLOTHES, fields, [*files[1:], files[1]], Settings(max_request_pixels=enough))
    assert submission.request.n == 3
    with pytest.raises(ApiError) as caught:
        score_submission(CLOTHES, fields, files, Settings(max_request_pixels=enough))
    assert caught.value.code == Code.IMAGE_UNREADABLE


def test_too_many_files_are_refused(client: TestClient) -> None:
    answer = client.post("/v1/scores", data=FORM, files=[("image", GREY)] * 9)
    assert answer.status_code == 400 and "8" in answer.json()["detail"]


def test_a_form_without_a_file_is_told_so(client: TestClient) -> None:
    answer = client.post("/v1/scores", data=FORM, files={"nothing": (None, "")})
    assert answer.json()["error"]["code"] == "unknown_field"


def test_a_field_given_twice_is_refused(client: TestClient) -> None:
    files: list[tuple[str, tuple[str | None, bytes]]] = [("image", ("a.png", GREY)), ("model", (None, b"ink"))]
    answer = client.post("/v1/scores", data=FORM, files=files)
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "model")
    assert "give it once" in answer.json()["detail"]


def test_many_images_that_are_none_are_answered_briefly(client: TestClient) -> None:
    answer = client.post("/v1/scores", json={"model": "clothes", "images": [1] * 20_000})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "images.0")
    assert len(answer.text) < 1000
