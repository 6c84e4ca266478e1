"""Maps that a model is told over HTTP: what is taken, and how everything else is refused."""

import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from app.errors import ApiError
from app.given_maps import check_map_size
from tests.app.parts import CLOTHES, black_and_white, image_file, publish
from tests.app.test_conditions import base64_of, post, refused
from worker.leases import Leases
from worker.protocol import Card

SMALL = {"kind": "map", "what": "image", "level": 1, "channels": 1, "num_levels": 256, "height": 4, "width": 3}
LABELS = {"kind": "map", "what": "labels", "level": 0, "channels": 1, "num_levels": 3}
LARGER = Card("larger", "fa" * 32, "admitted", height=8, width=6, channels=1, num_levels=2, conditioning=SMALL)
LABELLED = dataclasses.replace(
    LARGER, id="labelled", sha256="1a" * 32, conditioning={**LABELS, "names": ["sky", "tree", "ground"]}
)
COLOURED = dataclasses.replace(LARGER, id="coloured", sha256="c0" * 32, conditioning={**SMALL, "channels": 3})
SAME_SIZE = dataclasses.replace(LARGER, id="same-size", sha256="5a" * 32, conditioning={**SMALL, "level": 0})
ANY_SIZE = dataclasses.replace(LARGER, id="any-size", sha256="a1" * 32, height=None, width=None, num_levels=256)
MANY = dataclasses.replace(
    ANY_SIZE,
    id="many",
    sha256="3a" * 32,
    conditioning={**LABELS, "num_levels": 256, "names": [str(k) for k in range(256)]},
)
GREYS = np.arange(12, dtype=np.uint8).reshape(4, 3) * 20


@pytest.fixture
def client(running_app: TestClient, leases: Leases) -> TestClient:
    publish(leases, (LARGER, LABELLED, COLOURED, SAME_SIZE, ANY_SIZE, MANY, CLOTHES))
    return running_app


def given(pixels: np.ndarray, **options: Any) -> dict[str, Any]:
    return {"map": base64_of(image_file(pixels)), **options}


def uploads_of(leases: Leases, job: dict[str, Any]) -> list[bytes]:
    claim = leases.claim(job["id"], "w", "t" + job["id"], "torch")
    assert claim is not None
    return claim.uploads


def test_a_small_image_becomes_levels_among_the_uploads(client: TestClient, leases: Leases) -> None:
    job = post(client, "larger", n=2, condition=given(GREYS)).json()
    told = job["request"]["condition"]["map"]
    assert (told["upload"], told["format"], told["width"], told["height"]) == (0, "PNG", 3, 4)
    assert len(told["sha256"]) == 64
    assert uploads_of(leases, job) == [GREYS.tobytes()]


def test_labels_are_evenly_spaced_greys(client: TestClient, leases: Leases) -> None:
    labels = np.arange(48, dtype=np.uint8).reshape(8, 6) % 3
    greys = np.array([0, 128, 255], np.uint8)[labels]
    assert uploads_of(leases, post(client, "labelled", condition=given(greys)).json()) == [labels.tobytes()]
    near = given(np.clip(greys, 9, 246), levels="threshold")
    assert uploads_of(leases, post(client, "labelled", condition=near).json()) == [labels.tobytes()]


def test_the_map_of_an_image_of_any_size_is_as_large_as_that_asks_for(client: TestClient, leases: Leases) -> None:
    pixels = np.zeros((4, 3), np.uint8)
    job = post(client, "any-size", height=7, width=5, condition=given(pixels)).json()
    assert uploads_of(leases, job) == [pixels.tobytes()]
    answer = post(client, "any-size", height=9, width=5, condition=given(pixels))
    assert refused(answer)[:3] == (422, "image_does_not_fit", "condition.map")
    assert "is 3x4 pixels and 3x5 are needed" in refused(answer)[3]
    answer = post(client, "any-size", height=7, width=5, margin=2, condition=given(pixels))
    assert refused(answer)[:3] == (422, "invalid_field", "margin")


def test_a_map_that_a_worker_cannot_hold_is_refused_before_it_is_sent(client: TestClient) -> None:
    """256 labels are 256 numbers of a place."""
    largest, larger = np.zeros((128, 128), np.uint8), np.zeros((128, 129), np.uint8)
    assert post(client, "many", height=128, width=128, condition=given(largest)).status_code == 202
    own, told = base64_of(image_file(larger)), given(larger)
    data = {"model": "many", "rows": "3", "condition": json.dumps(told)}
    for answer in (
        post(client, "many", height=128, width=129, condition=told),
        client.post("/v1/scores", json={"model": "many", "images": [own], "condition": told}),
        client.post("/v1/completions", data=data, files={"image": image_file(larger)}),
    ):
        status, code, param, message = refused(answer)
        assert (status, code, param) == (422, "invalid_field", "condition.map")
        assert "16384 places are taken, as an image of 128x128 pixels has" in message
    coarse = {**LABELS, "level": 2, "num_levels": 256}
    with pytest.raises(ApiError, match=r"128x129 places of the map of an image of 512x513 .* an image of 512x512"):
        check_map_size(dataclasses.replace(MANY, conditioning=coarse), (513, 512), "map")


def test_scores_and_completions_keep_their_own_uploads_first(client: TestClient, leases: Leases) -> None:
    own, told = image_file(black_and_white()), given(GREYS)
    data = {"model": "larger", "rows": "3", "condition": json.dumps(told)}
    completion = client.post("/v1/completions", data=data, files={"image": own}).json()
    score = client.post("/v1/scores", json={"model": "larger", "images": [base64_of(own)], "condition": told}).json()
    for job in (completion, score):
        assert job["request"]["condition"]["map"]["upload"] == 1
        assert uploads_of(leases, job) == [(black_and_white() // 255).tobytes(), GREYS.tobytes()]


SAYS_WHAT = (
    '`larger` takes {"map": a PNG, JPEG or WebP file in base64}: the image 2 times smaller, 3x4 pixels, greyscale'
)


@pytest.mark.parametrize(
    ("model", "condition", "code", "param", "says"),
    [
        ("larger", None, "condition_required", "condition", SAYS_WHAT),
        ("larger", {"class": 1}, "condition_not_taken", "condition", SAYS_WHAT),
        ("larger", "each", "condition_not_taken", "condition", SAYS_WHAT),
        ("labelled", None, "condition_required", "condition", "the values 0, 128 and 255 stand for sky, tree, ground"),
        ("any-size", None, "condition_required", "condition", "the image 2 times smaller, any size, greyscale, 256"),
        ("clothes", given(GREYS), "condition_not_taken", "condition", '`clothes` takes {"class": name or index}'),
        ("larger", {"map": "###"}, "invalid_field", "condition.map", "is not base64"),
        ("larger", {"map": 7}, "invalid_field", "condition.map", "should be a valid string"),
        ("larger", {"map": "aa", "class": 1}, "unknown_field", "condition.class", "`class` is not a known field"),
        ("larger", given(black_and_white()), "image_does_not_fit", "condition.map", "is 6x8 pixels and 3x4 are needed"),
        ("labelled", given(GREYS), "image_does_not_fit", "condition.map", "3 levels: send that size."),
        ("same-size", None, "condition_required", "condition", "an image of the same size, 6x8 pixels, greyscale"),
        ("coloured", given(GREYS, grayscale=True), "invalid_field", "condition.grayscale", "leave it out"),
        (
            "labelled",
            given(np.full((8, 6), 100, np.uint8)),
            "image_does_not_fit",
            "condition.map",
            "send only the values 0, 128 and 255, or `levels=threshold`",
        ),
        ("labelled", given(GREYS, fit="resize"), "invalid_field", "condition.fit", "between labels there is nothing"),
        (
            "larger",
            given(np.stack([GREYS, GREYS, GREYS // 2], axis=2)),
            "image_does_not_fit",
            "condition.map",
            "is in colour",
        ),
        (
            "larger",
            given(np.zeros((4, 3, 4), np.uint8)),
            "image_does_not_fit",
            "condition.map",
            "has transparent pixels",
        ),
    ],
)
def test_what_is_no_such_map_is_refused_and_the_message_says_what_is(
    client: TestClient, model: str, condition: Any, code: str, param: str, says: str
) -> None:
    size = {"height": 7, "width": 5} if model == "any-size" else {}
    status, found, field, message = refused(post(client, model, condition=condition, **size))
    assert (status, found, field) == (422, code, param)
    assert says in message


def test_what_is_no_image_is_refused_as_any_upload_is(client: TestClient) -> None:
    found = refused(post(client, "larger", condition={"map": base64_of(b"hello")}))
    assert found[:3] == (415, "unsupported_image", "condition.map")


def test_a_larger_picture_is_made_smaller_when_that_is_asked_for(client: TestClient, leases: Leases) -> None:
    job = post(client, "larger", condition=given(np.full((20, 15), 90, np.uint8), fit="resize")).json()
    assert uploads_of(leases, job) == [bytes([90]) * 12]


def test_models_say_which_map_they_take(client: TestClient) -> None:
    conditioning = {model["id"]: model["conditioning"] for model in client.get("/v1/models").json()["data"]}
    assert conditioning["larger"] == SMALL
    assert conditioning["labelled"]["names"] == ["sky", "tree", "ground"]
    model = client.get("/openapi.json").json()["components"]["schemas"]["ModelView"]
    assert '{"kind": "map", "what": "image" or "labels"' in model["properties"]["conditioning"]["description"]
