"""Conditioned on an image, on a map, on tags and along a path, through the whole service."""

import base64
import hashlib
import io
import json
from typing import Any

import numpy as np
from PIL import Image

from tests.end_to_end.services import Api

WAIT = {"Prefer": "wait=60"}


def png(seed: int, side: int = 8) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).choice(np.array([0, 255], np.uint8), (side, side))).save(file, "PNG")
    return file.getvalue()


def condition(seed: int, side: int = 8, **options: Any) -> dict[str, Any]:
    return {"image": base64.b64encode(png(seed, side)).decode(), **options}


def drawn(api: Api, **ask: Any) -> dict[str, Any]:
    answer = api.client.post("/v1/samples", json=ask, headers=WAIT, timeout=70)
    job: dict[str, Any] = answer.json()
    assert answer.status_code == 200 and job["state"] == "succeeded", job
    return job


def receipt_of(image: bytes) -> dict[str, Any]:
    receipt: dict[str, Any] = json.loads(Image.open(io.BytesIO(image)).info["scanline-receipt"])
    return receipt


def test_reconstructions_of_an_image_differ_and_each_is_drawn_again_from_its_receipt(api: Api) -> None:
    job = drawn(api, model="portraits", n=4, seed=3, condition=condition(1, 20, fit="resize", levels="threshold"))
    images = [api.image(job["id"], k) for k in range(4)]
    assert len(set(images)) == 4
    receipt = receipt_of(images[2])
    assert receipt["embedded_images"][0]["fit"] == "resize" and len(receipt["embedded_images"][0]["sha256"]) == 64
    again = drawn(api, model="portraits", n=receipt["sample"] + 1, seed=receipt["seed"], condition=receipt["condition"])
    pixels = [np.asarray(Image.open(io.BytesIO(file))) for file in (images[2], api.image(again["id"], 2))]
    assert (pixels[0] == pixels[1]).all()
    assert receipt_of(api.image(again["id"], 2))["context_sha256"] == receipt["context_sha256"]


def test_a_path_begins_and_ends_with_what_its_ends_draw(api: Api) -> None:
    job = drawn(api, model="portraits", seed=3, interpolate={"from": condition(1), "to": condition(2), "steps": 3})
    for k, seed in ((0, 1), (2, 2)):
        end = drawn(api, model="portraits", seed=3, condition=condition(seed))
        pixels = [
            np.asarray(Image.open(io.BytesIO(api.image(job_id, i)))) for job_id, i in ((job["id"], k), (end["id"], 0))
        ]
        assert (pixels[0] == pixels[1]).all()
    assert [result["receipt"]["interpolation"]["step"] for result in job["result"]] == [0, 1, 2]


def test_an_image_is_scored_and_completed_given_another(api: Api) -> None:
    body = {"model": "portraits", "images": [base64.b64encode(png(5)).decode()], "condition": condition(1)}
    score = api.client.post("/v1/scores", json=body, headers=WAIT, timeout=70).json()
    assert score["state"] == "succeeded" and score["result"][0]["log_prob"] < 0
    other = api.client.post("/v1/scores", json={**body, "condition": condition(2)}, headers=WAIT, timeout=70).json()
    assert other["result"][0]["log_prob"] != score["result"][0]["log_prob"]
    data = {"model": "portraits", "rows": "4", "seed": "1", "condition": json.dumps(condition(1))}
    completion = api.client.post("/v1/completions", data=data, files={"image": png(5)}, headers=WAIT, timeout=70).json()
    kept = np.asarray(Image.open(io.BytesIO(api.image(completion["id"]))))[:4]
    assert (kept == np.asarray(Image.open(io.BytesIO(png(5))))[:4]).all()


def test_a_small_image_is_drawn_larger_in_many_ways_each_again_from_its_file(api: Api) -> None:
    small = {"map": condition(1, 4)["image"]}
    job = drawn(api, model="larger", n=4, seed=3, condition=small)
    images = [api.image(job["id"], k) for k in range(4)]
    assert len(set(images)) == 4
    receipt = receipt_of(images[2])
    assert receipt["condition"]["map"]["sha256"] == hashlib.sha256(png(1, 4)).hexdigest()
    again = drawn(api, model="larger", n=3, seed=3, condition=small)
    assert receipt_of(api.image(again["id"], 2)) == receipt
    assert api.client.get(f"/v1/jobs/{again['id']}/images/2").content == images[2]
    other = drawn(api, model="larger", n=3, seed=3, condition={"map": condition(2, 4)["image"]})
    assert receipt_of(api.image(other["id"], 2))["context_sha256"] != receipt["context_sha256"]
    card = api.client.get("/v1/models/larger").json()["conditioning"]
    assert (card["kind"], card["what"], card["height"], card["width"]) == ("map", "image", 4, 4)


def test_an_image_is_scored_and_completed_given_a_map(api: Api) -> None:
    own, maps = png(5), [{"map": condition(seed, 4)["image"]} for seed in (1, 2)]
    log_probs = []
    for told in maps:
        body = {"model": "larger", "images": [base64.b64encode(own).decode()], "condition": told}
        score = api.client.post("/v1/scores", json=body, headers=WAIT, timeout=70).json()
        log_probs.append(score["result"][0]["log_prob"])
    assert log_probs[0] != log_probs[1]
    kept = np.asarray(Image.open(io.BytesIO(own)))[:4]
    for sweeps in ("0", "3"):
        data = {"model": "larger", "seed": "1", "condition": json.dumps(maps[0]), "sweeps": sweeps}
        hole = {"mask": mask(slice(4, 6)), "image": own} if sweeps != "0" else {"image": own}
        data |= {} if sweeps != "0" else {"rows": "4"}
        answer = api.client.post("/v1/completions", data=data, files=hole, headers=WAIT, timeout=70).json()
        assert answer["state"] == "succeeded", answer
        assert (np.asarray(Image.open(io.BytesIO(api.image(answer["id"]))))[:4] == kept).all()


def mask(rows: slice, side: int = 8) -> bytes:
    """A mask that has some rows drawn."""
    pixels = np.full((side, side), 255, np.uint8)
    pixels[rows] = 0
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def test_tags_change_what_is_drawn_and_unknown_ones_are_told_the_nearest(api: Api) -> None:
    images = [
        api.image(drawn(api, model="tagged", n=1, seed=2, condition={"tags": tags})["id"])
        for tags in ([], ["red"], ["red", "round"])
    ]
    assert len({np.asarray(Image.open(io.BytesIO(image))).tobytes() for image in images}) == 3
    answer = api.client.post("/v1/samples", json={"model": "tagged", "condition": {"tags": ["rond"]}})
    assert answer.status_code == 422 and "Did you mean `round`?" in answer.json()["error"]["message"]


def test_models_and_the_page_of_the_interface_say_what_is_taken(api: Api) -> None:
    conditioning = api.client.get("/v1/models/portraits").json()["conditioning"]
    assert conditioning == {"kind": "embedding", "size": 4, "normalised": True, "takes_image": True}
    assert "interpolate" in api.client.get("/docs").text
