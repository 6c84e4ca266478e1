"""Holes filled from the posterior through the whole service: levels and densities, chains, traces, a cancel."""

import io
from itertools import islice
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.end_to_end.services import Api

SWEEPS = 3
MODELS = {"ink": (8, 8), "tiny-ride": (12, 10)}
"""Rows and columns of an image of each."""
HOLE = (slice(2, 7), slice(1, 6))


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)))


def image_of(model: str) -> np.ndarray:
    choices = [0, 255] if model == "ink" else range(100, 156)
    return np.random.default_rng(0).choice(np.array(choices, np.uint8), MODELS[model])


def fill(
    api: Api, model: str, image: np.ndarray, hole: tuple[slice, slice] = HOLE, wait_s: int = 60, **form: str
) -> dict[str, Any]:
    """The job that fills the hole, as it is after at most `wait_s`."""
    mask = np.full(image.shape, 255, np.uint8)
    mask[hole] = 0
    answer = api.client.post(
        "/v1/completions",
        data={"model": model, "sweeps": str(SWEEPS), **form},
        files={"image": png(image), "mask": png(mask)},
        headers={"Prefer": f"wait={wait_s}"},
        timeout=90,
    )
    assert answer.status_code in (200, 202), answer.text
    job: dict[str, Any] = answer.json()
    return job


@pytest.mark.parametrize(("model", "name"), [("ink", "log_prob"), ("tiny-ride", "density_bits_per_pixel")])
def test_each_chain_tells_its_trace_and_keeps_what_is_known(api: Api, model: str, name: str) -> None:
    image = image_of(model)
    job = fill(api, model, image, n="3", seed="5")
    assert (job["state"], job["request"]["conditioning"]) == ("succeeded", "posterior")
    drawn = [pixels(api.image(job["id"], k)) for k in range(3)]
    kept = np.ones(image.shape, np.bool_)
    kept[HOLE] = False
    assert all((one[kept] == image[kept]).all() for one in drawn)
    assert any((one != drawn[0]).any() for one in drawn[1:])
    for result in job["result"]:
        assert len(result["trace"]) == SWEEPS + 1 and 0 <= result["acceptance_rate"] <= 1
        assert result["trace"][-1] == pytest.approx(result[name])
        assert result["conditioning"] == "posterior"
        assert not {"drawn_log_prob", "drawn_density_bits_per_pixel"} & result.keys()
        assert (result["receipt"]["sweeps"], result["receipt"]["conditioning"]) == (SWEEPS, "posterior")
    assert any(result["acceptance_rate"] > 0 for result in job["result"])
    assert job["progress"]["done"] == job["progress"]["total"]


def test_the_likelihood_is_that_of_the_last_image(api: Api) -> None:
    job = fill(api, "ink", image_of("ink"), seed="6")
    scored = api.client.post(
        "/v1/scores",
        data={"model": "ink"},
        files={"image": api.image(job["id"])},
        headers={"Prefer": "wait=30"},
    ).json()
    assert scored["result"][0]["log_prob"] == pytest.approx(job["result"][0]["log_prob"], abs=1e-3)


@pytest.mark.parametrize("model", MODELS)
def test_a_chain_is_the_same_alone_and_in_company(api: Api, model: str) -> None:
    image = image_of(model)
    many, alone = (fill(api, model, image, n=n, seed="7") for n in ("3", "1"))
    assert api.image(many["id"], 0) == api.image(alone["id"], 0)
    assert many["result"][0]["trace"] == alone["result"][0]["trace"]


def test_a_running_chain_tells_changed_rows_shows_its_image_and_stops_when_canceled(api: Api) -> None:
    model, image = "gated-pixelcnn-mnist", np.zeros((28, 28), np.uint8)
    hole = (slice(10, 20), slice(9, 19))
    job = fill(api, model, image, hole, wait_s=0, condition='{"class": 3}', n="16", sweeps="1000")
    progress = (event.data["rows"] for event in api.events(job["id"]) if event.kind == "progress")
    of_first = ([row["row"] for row in rows if row["sample"] == 0] for rows in progress)
    start, changed = islice(filter(None, of_first), 2)
    assert start == list(range(28)) and set(changed) <= set(range(10, 20))
    now = api.client.get(f"/v1/jobs/{job['id']}/images/0")
    assert now.headers["Cache-Control"] == "no-store" and pixels(now.content).shape == image.shape
    api.client.post(f"/v1/jobs/{job['id']}/cancel")
    ended = api.finished(job["id"])
    assert ended["state"] == "canceled" and ended["result"] == []
    assert ended["progress"]["done"] < ended["progress"]["total"]
