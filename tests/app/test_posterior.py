"""Completions with `sweeps`: what travels to the worker, which holes and sizes are taken, what is refused."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.main import create_app
from app.posterior import hole_size, num_updates
from app.settings import Settings
from engine.posterior import blocks_of
from tests.app.parts import CARDS, DENSITY, draw, grey, image_file, publish, result
from tests.services import Valkey
from worker.leases import Leases, Sweep, Update
from worker.protocol import Card

CHAIN = Card("chain", "ca" * 32, "admitted", channels=1, num_levels=256, coarse_level=1, conditioning={"kind": "none"})
PLAIN = Card("plain", "1a" * 32, "admitted", channels=1, num_levels=256, conditioning={"kind": "none"})


@pytest.fixture
def client(client: TestClient, leases: Leases) -> TestClient:
    publish(leases, (*CARDS, DENSITY, CHAIN, PLAIN))
    return client


def mask(height: int, width: int, rows: slice, columns: slice) -> bytes:
    kept = np.full((height, width), 255)
    kept[rows, columns] = 0
    return image_file(kept)


def ask(client: TestClient, model: str = "plain", size: tuple[int, int] = (8, 6), **fields: Any) -> Any:
    """Completes a ramp whose hole is 2x3 pixels at (row 2, column 1), unless `hole` says otherwise."""
    hole = fields.pop("hole", (slice(2, 4), slice(1, 4)))
    files = {"image": ("image.png", image_file(grey(*size)))}
    if hole is not None:
        files["mask"] = ("mask.png", mask(*size, *hole))
    return client.post("/v1/completions", files=files, data={"model": model, "sweeps": 2, **fields})


@pytest.mark.parametrize("model", ["plain", "density"])
def test_a_hole_is_swept_and_the_answer_says_posterior(client: TestClient, leases: Leases, model: str) -> None:
    job = ask(client, model, n=3, sweeps=20).json()
    told = job["request"]
    assert (told["conditioning"], told["sweeps"], told["n"], told["rows"]) == ("posterior", 20, 3, None)
    claim = leases.claim(job["id"], "worker", "token", "profile")
    assert claim is not None and claim.request.sweeps == 20
    assert (claim.mask or b"").count(b"\0") == 6


def test_without_sweeps_it_is_the_completion_that_it_was(client: TestClient) -> None:
    for fields in ({"sweeps": 0}, {"sweeps": "0"}):
        told = ask(client, **fields).json()["request"]
        assert (told["conditioning"], told["sweeps"]) == ("causal_only", 0)
    sampled = client.post("/v1/samples", json={"model": "ink"}).json()["request"]
    assert sampled["sweeps"] is None


def test_other_sweeps_are_another_request(client: TestClient) -> None:
    files = {"image": image_file(grey()), "mask": mask(8, 6, slice(2, 4), slice(1, 4))}
    for sweeps, status in ((2, 202), (2, 202), (3, 422)):
        data = {"model": "plain", "sweeps": sweeps}
        answer = client.post("/v1/completions", files=files, data=data, headers={"Idempotency-Key": "k"})
        assert answer.status_code == status


LATER = (slice(4, 8), slice(0, 6))
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"sweeps": 1001}, "sweeps", "`sweeps` is 1001; a job may have 1000"),
    ({"sweeps": -1}, "sweeps", "greater than or equal to 0"),
    ({"sweeps": "many"}, "sweeps", "valid integer"),
    ({"rows": 4, "hole": None}, "sweeps", "drawn below kept rows already is a sample of the posterior"),
    ({"hole": LATER}, "sweeps", "nothing kept after it already is a sample of the posterior"),
    ({"temperature": 0.9}, "temperature", "at 1 only"),
    ({"temperature": 0.9, "model": "density"}, "temperature", "at 1 only"),
    ({"clip": True, "model": "density"}, "clip", "leave it out"),
    ({"model": "chain"}, "sweeps", "knows only a bound on log p"),
    ({"size": (129, 20)}, "sweeps", "20x129 pixels: an image that is swept may have at most 128x128"),
    ({"size": (20, 129)}, "sweeps", "129x20 pixels: an image that is swept may have at most 128x128"),
    ({"size": (64, 64), "hole": (slice(9, 42), slice(5, 6))}, "sweeps", "1x33 pixels: the box around a hole"),
    ({"size": (64, 64), "hole": (5, slice(9, 42))}, "sweeps", "33x1 pixels: the box around a hole"),
]


@pytest.mark.parametrize(("sent", "param", "words"), REFUSED)
def test_a_refusal_says_what_would_be_right(client: TestClient, sent: dict[str, Any], param: str, words: str) -> None:
    answer = ask(client, **sent)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (422, "invalid_field", param)
    assert words in error["message"]


def test_the_largest_that_is_taken(client: TestClient) -> None:
    hole = (slice(90, 122), slice(10, 42))
    # 100 updates a sweep, each over 128x128 pixels: 655 sweeps are 2^30.
    for n, sweeps, status in ((1, 655, 202), (5, 131, 202), (1, 656, 422), (5, 132, 422)):
        answer = ask(client, size=(128, 128), hole=hole, sweeps=sweeps, n=n)
        assert answer.status_code == status
    assert (
        "pass over 1638400 pixels each" in answer.json()["detail"] and "655 sweeps for all" in answer.json()["detail"]
    )


@pytest.mark.parametrize("sides", [(1, 1), (2, 5), (3, 6), (8, 7), (9, 32), (16, 31)])
def test_work_is_counted_as_the_engine_does_it(sides: tuple[int, int]) -> None:
    hole = np.zeros((40, 40), np.bool_)
    hole[3 : 3 + sides[0], 4 : 4 + sides[1]] = True
    assert num_updates(sides) == len(blocks_of(hole))


def test_the_box_goes_around_all_that_is_drawn() -> None:
    kept = np.ones((7, 9), np.uint8)
    kept[1, 8] = kept[5, 2] = 0
    assert hole_size(kept.tobytes(), (7, 9)) == (5, 7)


def test_the_bounds_are_settings(valkey: Valkey, leases: Leases) -> None:
    publish(leases, (PLAIN,))
    settings = Settings(redis_url=valkey.url, max_sweeps=5, max_swept_side=16, max_hole_side=4)
    with TestClient(create_app(settings)) as client:
        assert "may have 5" in ask(client, sweeps=6).json()["detail"]
        assert "at most 16x16" in ask(client, size=(17, 9)).json()["detail"]
        assert "at most 4x4" in ask(client, hole=(slice(1, 6), slice(0, 2))).json()["detail"]
        assert ask(client, sweeps=5, size=(16, 16), hole=(slice(1, 5), slice(0, 4))).status_code == 202


def test_a_swept_image_is_shown_as_it_is_and_kept_by_no_cache_until_it_is_finished(
    client: TestClient, leases: Leases
) -> None:
    job = ask(client).json()
    path = f"/v1/jobs/{job['id']}/images/0"
    (image,) = draw(leases, job["id"], end=None, rows=7)
    assert client.get(path).json()["error"]["code"] == "not_drawn_yet"
    claim = leases.claim(job["id"], "test-worker", f"token-{job['id']}", "torch-cpu")
    assert claim is not None
    leases.flush([Update(job["id"], claim.attempt, [(0, 7, image[7].tobytes())])])
    now = client.get(path)
    assert (now.status_code, now.headers["Cache-Control"]) == (200, "no-store")
    shown = Image.open(io.BytesIO(now.content))
    assert (np.asarray(shown) == image[:, :, 0]).all() and "scanline-receipt" not in shown.info
    leases.flush([Update(job["id"], claim.attempt, results=[result(0)], next_state="succeeded")])
    assert "immutable" in client.get(path).headers["Cache-Control"]


def test_an_image_that_has_gone_meanwhile_is_not_drawn_yet(client: TestClient, leases: Leases, valkey: Valkey) -> None:
    job = ask(client).json()
    claim = leases.claim(job["id"], "worker", "token", "profile")
    assert claim is not None
    leases.flush([Update(job["id"], claim.attempt, sweeps=[Sweep(0, 8, bytes(48), "{}")])])
    path = f"/v1/jobs/{job['id']}/images/0"
    assert client.get(path).status_code == 200
    assert valkey.client.delete(f"scanline:job:{job['id']}:canvas:0") == 1
    assert client.get(path).json()["error"]["code"] == "not_drawn_yet"


def test_a_preview_of_a_swept_image_has_all_its_rows(client: TestClient, leases: Leases) -> None:
    job = ask(client).json()
    (image,) = draw(leases, job["id"])
    stream = client.get(f"/v1/jobs/{job['id']}/events?preview=png").text
    told = [json.loads(line[6:]) for line in stream.splitlines() if line.startswith('data: {"done"')]
    preview = Image.open(io.BytesIO(base64.b64decode(told[0]["previews"][0]["png"])))
    assert told[0]["rows"][0]["row"] == 0 and told[0]["previews"][0]["rows"] == 8
    assert (np.asarray(preview)[:, :, 0] == image[:, :, 0]).all()


def test_the_document_names_the_members_and_their_units(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    asked = document["paths"]["/v1/completions"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert (asked["properties"]["sweeps"]["minimum"], asked["properties"]["sweeps"]["default"]) == (0, 0)
    schemas = document["components"]["schemas"]
    conditioning = schemas["RequestView"]["properties"]["conditioning"]["anyOf"][0]
    assert conditioning["enum"] == ["exact", "causal_only", "posterior"]
    told = schemas["JobView"]["properties"]["result"]["description"]
    assert "`trace`, sweeps + 1 numbers: the image's `log_prob` (nats)" in told and "`acceptance_rate`" in told
