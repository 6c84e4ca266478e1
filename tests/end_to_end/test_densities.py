"""Every density through the whole service: any size, floats and bytes, scores in their own unit, completions."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.family import DENSITIES
from tests.end_to_end.services import Api

WAIT = {"Prefer": "wait=60"}
every_density = pytest.mark.parametrize("model", DENSITIES)


def sample(api: Api, model: str, height: int, width: int, **ask: Any) -> dict[str, Any]:
    fields = {"model": model, "height": height, "width": width, **ask}
    answer = api.client.post("/v1/samples", json=fields, headers=WAIT, timeout=90)
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    assert job["state"] == "succeeded", job["error"]
    return job


def post(api: Api, path: str, model: str, files: Any, **form: str) -> dict[str, Any]:
    answer = api.client.post(path, data={"model": model, **form}, files=files, headers=WAIT)
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    assert job["state"] == "succeeded", job["error"]
    return job


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def floats(api: Api, job: dict[str, Any]) -> np.ndarray:
    numbers: np.ndarray = np.load(io.BytesIO(api.client.get(job["links"]["npy"]).content))
    return numbers


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@every_density
@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 300), (12, 10)])
def test_a_sample_of_any_size_is_floats_and_a_picture_of_their_whole_part(
    api: Api, model: str, height: int, width: int
) -> None:
    job = sample(api, model, height, width, n=2, seed=3)
    numbers = floats(api, job)
    assert numbers.shape == (2, height, width, 1) and numbers.dtype == np.float32
    for k, result in enumerate(job["result"]):
        shown = pixels(api.image(job["id"], k))
        assert (shown == np.clip(np.floor(numbers[k, :, :, 0]), 0, 255)).all()
        assert (result["kind"], result["unit"]) == ("density", "bit/px of a density")
        assert "log_prob" not in result and "bits_per_dim" not in result
        assert result["receipt"]["margin"] == 8


def test_a_large_image_is_drawn_whole(api: Api) -> None:
    job = sample(api, "tiny-mcgsm", 1024, 1024, seed=1)
    assert job["progress"]["done"] == 1032 * 1040
    assert pixels(api.image(job["id"])).shape == (1024, 1024)


@every_density
def test_the_same_seed_is_the_same_image_and_a_margin_is_part_of_the_receipt(api: Api, model: str) -> None:
    first, again = (sample(api, model, 6, 8, seed=5, margin=2) for _ in range(2))
    assert api.image(first["id"]) == api.image(again["id"])
    exact = sample(api, model, 6, 8, seed=5, margin=0)
    assert api.image(exact["id"]) != api.image(first["id"])
    larger = sample(api, model, 8, 12, seed=5, margin=0)
    assert (floats(api, larger)[:, 2:, 2:-2] == floats(api, first)).all()


@every_density
def test_a_score_is_a_rate_with_its_error_and_a_bound_in_bits_per_dim(api: Api, model: str) -> None:
    image = np.random.default_rng(0).integers(90, 170, (11, 13)).astype(np.uint8)
    job = post(api, "/v1/scores", model, {"image": png(image)}, draws="8", seed="4", per_pixel="true")
    (result,) = job["result"]
    assert (result["kind"], result["unit"], result["draws"]) == ("density", "bit/px of a density", 8)
    assert 0 < result["standard_error"] < 1 and 0 <= result["percentile"] <= 100
    bound = result["code_length"]
    assert (bound["kind"], bound["unit"]) == ("bound", "bits/dim")
    assert bound["bits_per_dim"] == pytest.approx(8 - result["density_bits_per_pixel"])
    found = np.load(io.BytesIO(api.client.get(f"/v1/jobs/{job['id']}/maps/0.npy").content))
    assert found.shape == (11, 13, 1)
    assert found.mean() == pytest.approx(result["density_bits_per_pixel"], abs=1e-4)
    assert pixels(api.client.get(f"/v1/jobs/{job['id']}/maps/0").content).shape == (11, 13)
    receipt = result["receipt"]
    again = post(
        api, "/v1/scores", model, {"image": png(image)}, draws=str(receipt["draws"]), seed=str(receipt["seed"])
    )
    assert again["result"][0]["density_bits_per_pixel"] == pytest.approx(result["density_bits_per_pixel"], abs=1e-6)


@every_density
def test_a_completion_keeps_the_bytes_and_draws_the_rest(api: Api, model: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (11, 13)).astype(np.uint8)
    job = post(api, "/v1/completions", model, {"image": png(image)}, rows="5", n="2", seed="8")
    first, second = (pixels(api.image(job["id"], k)) for k in range(2))
    assert (first[:5] == image[:5]).all() and (second[:5] == image[:5]).all()
    assert (first[5:] != second[5:]).any()
    mask = np.full((11, 13), 255, np.uint8)
    mask[2:6, 1:5] = 0
    job = post(api, "/v1/completions", model, {"image": png(image), "mask": png(mask)}, seed="8")
    drawn = pixels(api.image(job["id"]))
    assert (drawn[mask > 0] == image[mask > 0]).all() and (drawn[mask == 0] != image[mask == 0]).any()
    assert job["result"][0]["conditioning"] == "causal_only"
    assert "drawn_density_bits_per_pixel" in job["result"][0]


def test_a_coloured_image_is_turned_grey_when_asked(api: Api) -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 9, 3)).astype(np.uint8)
    refused = api.client.post("/v1/scores", data={"model": "tiny-ride"}, files={"image": png(image)})
    assert refused.status_code == 422 and "`grayscale=true`" in refused.json()["error"]["message"]
    result = post(api, "/v1/scores", "tiny-ride", {"image": png(image)}, grayscale="true")["result"][0]
    assert result["receipt"]["upload"]["images"][0]["grayscale"] is True


def test_a_temperature_is_refused(api: Api) -> None:
    ask = {"model": "tiny-ride", "height": 4, "width": 4, "temperature": 0.5}
    error = api.client.post("/v1/samples", json=ask).json()["error"]
    assert error["param"] == "temperature" and "density" in error["message"]
