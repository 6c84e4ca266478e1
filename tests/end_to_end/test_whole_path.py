"""Each of the three POSTs from request to result, waited for and followed."""

import io

import httpx2
import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.services import Api

WAIT = {"Prefer": "wait=30"}


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def drawn_digit(api: Api) -> bytes:
    """Any image that the class-conditional bundle takes."""
    ask = {"model": "gated-pixelcnn-mnist", "seed": 9, "condition": {"class": 4}}
    return api.image(api.client.post("/v1/samples", json=ask, headers=WAIT).json()["id"])


def test_a_waited_for_sample_comes_with_the_answer(api: Api) -> None:
    answer = api.client.post("/v1/samples", json={"model": "ink", "n": 2}, headers=WAIT)
    job = answer.json()
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (200, "wait=30")
    assert job["state"] == "succeeded" and len(job["result"]) == 2
    assert job["result"][0]["log_prob"] < 0
    assert pixels(api.image(job["id"], 1)).shape == (8, 8)


def test_a_wait_that_is_too_short_gives_the_job_and_cancels_nothing(api: Api) -> None:
    answer = api.client.post("/v1/samples", json={"model": "slow"}, headers={"Prefer": "wait=0"})
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=0")
    assert api.finished(answer.json()["id"])["state"] == "succeeded"


def test_a_client_that_goes_away_while_it_waits_cancels_nothing(api: Api) -> None:
    before = {job["id"] for job in api.client.get("/v1/jobs").json()["data"]}
    with pytest.raises(httpx2.ReadTimeout):
        api.client.post("/v1/samples", json={"model": "slow", "seed": 1, "n": 24}, headers=WAIT, timeout=0.3)
    (job_id,) = {job["id"] for job in api.client.get("/v1/jobs").json()["data"]} - before
    assert api.finished(job_id)["state"] == "succeeded"


def test_a_completion_keeps_the_rows_and_draws_the_rest(api: Api) -> None:
    digit = drawn_digit(api)
    data = {"model": "gated-pixelcnn-mnist", "rows": 20, "n": 2, "condition": '{"class": "class 4"}'}
    answer = api.client.post("/v1/completions", data=data, files={"image": digit}, headers=WAIT)
    job = answer.json()
    assert answer.status_code == 200 and job["request"]["conditioning"] == "exact"
    first, second = pixels(api.image(job["id"], 0)), pixels(api.image(job["id"], 1))
    assert (first[:20] == pixels(digit)[:20]).all() and (second[:20] == pixels(digit)[:20]).all()
    assert (first[20:] != second[20:]).any()
    assert job["result"][0]["log_prob"] < job["result"][0]["drawn_log_prob"] < 0


def test_a_masked_completion_draws_the_hole_and_nothing_else(api: Api) -> None:
    digit = drawn_digit(api)
    mask = np.full((28, 28), 255, np.uint8)
    mask[5:9, 5:9] = 0
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    files = {"image": digit, "mask": file.getvalue()}
    data = {"model": "gated-pixelcnn-mnist", "condition": '{"class": 4}'}
    job = api.client.post("/v1/completions", data=data, files=files, headers=WAIT).json()
    assert job["request"]["conditioning"] == job["result"][0]["conditioning"] == "causal_only"
    changed = pixels(api.image(job["id"])) != pixels(digit)
    assert changed[5:9, 5:9].any() and not changed[mask > 0].any()


def test_a_score_is_the_log_prob_that_the_drawing_reported(api: Api) -> None:
    drawn = api.client.post("/v1/samples", json={"model": "ink", "seed": 11, "n": 2}, headers=WAIT).json()
    files = [("image", api.image(drawn["id"], k)) for k in range(2)]
    scored = api.client.post("/v1/scores", data={"model": "ink"}, files=files, headers=WAIT).json()
    for result, expected in zip(scored["result"], drawn["result"], strict=True):
        assert result["log_prob"] == pytest.approx(expected["log_prob"], abs=1e-3)
        assert result["kind"] == "exact" and result["unit"] == "nats" and 0 <= result["percentile"] <= 100


def test_a_score_under_each_class_gives_their_probabilities_and_a_map(api: Api) -> None:
    data = {"model": "gated-pixelcnn-mnist", "condition": "each", "per_pixel": "true"}
    job_id = api.client.post("/v1/scores", data=data, files={"image": drawn_digit(api)}).json()["id"]
    (result,) = api.finished(job_id)["result"]
    assert sum(entry["posterior"] for entry in result["classes"]) == pytest.approx(1)
    numbers = np.load(io.BytesIO(api.client.get(f"/v1/jobs/{job_id}/maps/0.npy").content))
    assert numbers.shape == (28, 28, 1)
    assert numbers.sum() == pytest.approx(result["log_prob"], rel=1e-4)
    assert pixels(api.client.get(f"/v1/jobs/{job_id}/maps/0").content).shape == (28, 28)
