"""The same seed gives the same PNG bytes: alone, in a batch of 50, after the worker was killed in mid-image, and from
a receipt."""

import io
import json

import pytest
from PIL import Image

from tests.end_to_end.services import SLOW_SIZE, Api
from tests.services import WorkerProcess, wait_until

WAIT = {"Prefer": "wait=60"}


def drawn(api: Api, **ask: object) -> str:
    job = api.client.post("/v1/samples", json=ask, headers=WAIT, timeout=70).json()
    assert job["state"] == "succeeded"
    return str(job["id"])


def receipt_of(png: bytes) -> dict[str, object]:
    receipt: dict[str, object] = json.loads(Image.open(io.BytesIO(png)).info["scanline-receipt"])
    return receipt


def test_alone_and_in_a_batch_of_fifty(api: Api) -> None:
    alone = api.image(drawn(api, model="ink", seed=42))
    batch = drawn(api, model="ink", seed=42, n=50)
    images = [api.image(batch, k) for k in range(50)]
    assert images[0] == alone
    assert len(set(images)) == 50


def test_a_kill_in_mid_image_leaves_no_trace_in_the_image(api: Api, worker: WorkerProcess) -> None:
    undisturbed = drawn(api, model="slow", seed=7, n=24)
    job_id = api.client.post("/v1/samples", json={"model": "slow", "seed": 7, "n": 24}).json()["id"]
    wait_until(lambda: max(api.job(job_id)["progress"]["rows"]) >= 5, what="the fifth row")
    worker.kill()
    rows = api.job(job_id)["progress"]["rows"]
    assert sum(rows) < 24 * SLOW_SIZE
    worker.start()
    events = list(api.events(job_id))
    job = api.job(job_id)
    assert (job["state"], job["attempt"]) == ("succeeded", 2)
    assert [api.image(job_id, k) for k in range(24)] == [api.image(undisturbed, k) for k in range(24)]
    resumed = [event.data["from_pixel"] for event in events if event.kind == "resumed"]
    assert resumed == [SLOW_SIZE * sum(rows)]
    told = [(row["sample"], row["row"]) for event in events for row in event.data.get("rows", [])]
    assert sorted(told) == [(k, row) for k in range(24) for row in range(SLOW_SIZE)]


def test_a_sample_is_drawn_again_from_its_receipt(api: Api) -> None:
    original = api.image(drawn(api, model="gated-pixelcnn-mnist", n=3, condition={"class": 6}, temperature=0.7), 2)
    receipt = receipt_of(original)
    ask = {name: receipt[name] for name in ("model", "seed", "temperature", "condition")}
    again = drawn(api, **ask, n=int(str(receipt["sample"])) + 1)
    assert api.image(again, int(str(receipt["sample"]))) == original
    assert receipt["sha256"] == api.client.get("/v1/models/gated-pixelcnn-mnist").json()["sha256"]


def test_a_sample_in_bfloat16_is_drawn_again_from_its_receipt(api: Api) -> None:
    if "bfloat16" not in api.client.get("/v1/models/ink").json()["precisions"]:
        pytest.skip("this processor has no bfloat16 units")
    original = api.image(drawn(api, model="ink", seed=3, precision="bfloat16"))
    receipt = receipt_of(original)
    assert "bfloat16" in str(receipt["profile"])
    again = drawn(api, **{name: receipt[name] for name in ("model", "seed", "temperature", "precision")})
    assert api.image(again) == original


def test_a_completion_is_drawn_again_from_its_receipt(api: Api) -> None:
    kept = api.image(drawn(api, model="ink", seed=1))
    data = {"model": "ink", "rows": "4"}
    job = api.client.post("/v1/completions", data=data, files={"image": kept}, headers=WAIT).json()
    original = api.image(job["id"])
    receipt = receipt_of(original)
    assert receipt["known_rows"] == 4 and receipt["conditioning"] == "exact"
    data = {"model": "ink", "rows": str(receipt["known_rows"]), "seed": str(receipt["seed"])}
    again = api.client.post("/v1/completions", data=data, files={"image": kept}, headers=WAIT).json()
    assert api.image(again["id"]) == original
