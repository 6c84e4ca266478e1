"""Every architecture through the whole service: sample, score, complete, and refuse what does not fit."""

import io
import json
from typing import Any

import httpx2
import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.family import FAMILY, HEIGHT, WIDTH
from tests.end_to_end.services import Api

WAIT = {"Prefer": "wait=30"}
every_model = pytest.mark.parametrize("model", FAMILY)
COLOURED = [name for name, facts in FAMILY.items() if facts.get("channels") == 3]
CHAINS = [name for name, facts in FAMILY.items() if facts["architecture"] == "multi_scale"]
GREY = [name for name in FAMILY if name not in COLOURED]
ROWS = 4


def condition(model: str) -> dict[str, Any]:
    return {"condition": {"class": 1}} if FAMILY[model].get("num_classes") else {}


def channels(model: str) -> int:
    return int(FAMILY[model].get("channels", 1))


def sample(api: Api, model: str, **ask: Any) -> dict[str, Any]:
    answer = api.client.post("/v1/samples", json={"model": model, **condition(model), **ask}, headers=WAIT)
    assert answer.status_code == 200, answer.text
    job: dict[str, Any] = answer.json()
    assert job["state"] == "succeeded"
    return job


def post(api: Api, path: str, model: str, files: Any, **form: Any) -> httpx2.Response:
    data = {"model": model, **{name: json.dumps(value) for name, value in condition(model).items()}, **form}
    return api.client.post(path, data=data, files=files, headers=WAIT)


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def noise(model: str, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Black and white, or in colour: what the model takes."""
    random = np.random.default_rng(0)
    if model in COLOURED:
        return random.integers(0, 256, (height, width, 3)).astype(np.uint8)
    return random.choice(np.array([0, 255], np.uint8), (height, width))


@every_model
def test_samples_are_images_of_the_models_kind_and_score_as_they_were_drawn(api: Api, model: str) -> None:
    job = sample(api, model, n=2, seed=5)
    images = [api.image(job["id"], k) for k in range(2)]
    assert all(Image.open(io.BytesIO(image)).mode == ("RGB" if model in COLOURED else "L") for image in images)
    assert images[0] != images[1]
    levels = np.load(io.BytesIO(api.client.get(f"/v1/jobs/{job['id']}/images.npy").content))
    assert levels.shape == (2, HEIGHT, WIDTH, channels(model))
    shown = np.stack([pixels(image) for image in images]).reshape(levels.shape)
    assert (shown == np.rint(levels * (255 / (FAMILY[model]["num_levels"] - 1)))).all()
    scored = post(api, "/v1/scores", model, [("image", image) for image in images]).json()
    for result, expected in zip(scored["result"], job["result"], strict=True):
        assert result["kind"] == expected["kind"] == ("bound" if model in CHAINS else "exact")
        if model not in CHAINS:  # its image was drawn after another coarse one than that which it contains
            assert result["log_prob"] == pytest.approx(expected["log_prob"], abs=1e-3)
        assert result["bits_per_dim"] == pytest.approx(
            -result["log_prob"] / np.log(2) / (HEIGHT * WIDTH * channels(model)), abs=1e-3
        )


@every_model
def test_the_lower_part_of_an_image_is_drawn_anew_exactly(api: Api, model: str) -> None:
    image = noise(model)
    job = post(api, "/v1/completions", model, {"image": png(image)}, rows=str(ROWS), n="2").json()
    conditioning = "causal_only" if model in CHAINS else "exact"
    assert job["request"]["conditioning"] == conditioning
    first, second = (pixels(api.image(job["id"], k)) for k in range(2))
    assert (first[:ROWS] == image[:ROWS]).all() and (second[:ROWS] == image[:ROWS]).all()
    assert (first[ROWS:] != second[ROWS:]).any()
    for k, result in enumerate(job["result"]):
        assert result["conditioning"] == result["receipt"]["conditioning"] == conditioning
        assert result["log_prob"] < result["drawn_log_prob"] < 0
        (scored,) = post(api, "/v1/scores", model, {"image": api.image(job["id"], k)}).json()["result"]
        if model not in CHAINS:
            assert result["log_prob"] == pytest.approx(scored["log_prob"], abs=1e-3)


@every_model
def test_a_hole_is_drawn_anew_given_what_comes_before_it(api: Api, model: str) -> None:
    image = noise(model)
    mask = np.full((HEIGHT, WIDTH), 255, np.uint8)
    mask[2:6, 1:5] = 0
    job = post(api, "/v1/completions", model, {"image": png(image), "mask": png(mask)}, n="2").json()
    assert job["request"]["conditioning"] == job["result"][0]["conditioning"] == "causal_only"
    first, second = (pixels(api.image(job["id"], k)) for k in range(2))
    for drawn in (first, second):
        assert (drawn[mask > 0] == image[mask > 0]).all()
    assert (first[mask == 0] != second[mask == 0]).any()


@every_model
def test_what_does_not_fit_is_refused(api: Api, model: str) -> None:
    def code(answer: httpx2.Response) -> tuple[int, str]:
        return answer.status_code, answer.json()["error"]["code"]

    too_wide = {"image": png(noise(model, width=WIDTH + 1))}
    for path, form in (("/v1/scores", {}), ("/v1/completions", {"rows": "2"})):
        assert code(post(api, path, model, too_wide, **form)) == (422, "image_does_not_fit")
    assert code(post(api, "/v1/completions", model, {"image": png(noise(model))}))[0] == 422
    wrong = {"class": 99} if condition(model) else {"class": 0}
    expected = "unknown_class" if condition(model) else "condition_not_taken"
    assert code(api.client.post("/v1/samples", json={"model": model, "condition": wrong})) == (422, expected)


@pytest.mark.parametrize("model", GREY)
def test_a_grey_model_takes_no_colour(api: Api, model: str) -> None:
    coloured = {"image": png(noise(COLOURED[0]))}
    answer = post(api, "/v1/scores", model, coloured)
    assert answer.status_code == 422 and "is in colour" in answer.json()["error"]["message"]


@pytest.mark.parametrize("model", COLOURED)
def test_a_colour_model_tells_its_channels_and_scores_each_sub_pixel(api: Api, model: str) -> None:
    assert api.client.get(f"/v1/models/{model}").json()["image"]["channels"] == 3
    grey = noise(GREY[0])
    as_rgb = np.repeat(grey[:, :, None], 3, axis=2)
    scores = [post(api, "/v1/scores", model, {"image": png(image)}).json() for image in (grey, as_rgb)]
    assert scores[0]["result"][0]["log_prob"] == scores[1]["result"][0]["log_prob"]
    job = post(api, "/v1/scores", model, {"image": png(noise(model))}, per_pixel="true").json()
    found = np.load(io.BytesIO(api.client.get(f"/v1/jobs/{job['id']}/maps/0.npy").content))
    assert found.shape == (HEIGHT, WIDTH, 3)
    assert found.sum() == pytest.approx(job["result"][0]["log_prob"], abs=1e-3)


@pytest.mark.parametrize("model", CHAINS)
def test_a_chain_says_that_its_likelihood_is_a_bound_and_counts_the_coarse_image_as_progress(
    api: Api, model: str
) -> None:
    assert api.client.get(f"/v1/models/{model}").json()["likelihood"]["kind"] == "bound"
    progress = sample(api, model, n=2)["progress"]
    assert progress["done"] == progress["total"] == 2 * (HEIGHT + -(-HEIGHT // 2)) * WIDTH
    assert progress["rows"] == [HEIGHT, HEIGHT]
    job = post(api, "/v1/scores", model, {"image": png(noise(model))}, per_pixel="true").json()
    assert job["progress"]["done"] == job["progress"]["total"] == HEIGHT * WIDTH
    found = np.load(io.BytesIO(api.client.get(f"/v1/jobs/{job['id']}/maps/0.npy").content))
    assert found.sum() == pytest.approx(job["result"][0]["log_prob"], abs=1e-3)


def test_each_class_of_a_colour_model_has_its_own_probability(api: Api) -> None:
    files = {"image": png(noise("colour-row-lstm"))}
    job = post(api, "/v1/scores", "colour-row-lstm", files, condition='"each"').json()
    classes = job["result"][0]["classes"]
    assert sum(c["posterior"] for c in classes) == pytest.approx(1, abs=1e-6)
    assert classes[0]["log_prob"] != classes[1]["log_prob"]
