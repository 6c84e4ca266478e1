"""Densities at the front: floats on canvases, bytes in and out, a margin, no temperature, other words."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from app.catalog import shape_text
from app.errors import ApiError
from app.levels import to_bytes
from app.request_models import ScoreFields
from app.scores import check_score
from tests.app.parts import CARDS, CLOTHES, COLOUR, DENSITY, grey, image_file, publish
from worker.leases import Leases, SampleResult, Update
from worker.protocol import JobRequest


@pytest.fixture
def client(client: TestClient, leases: Leases) -> TestClient:
    publish(leases, (*CARDS, DENSITY))
    return client


def claimed(leases: Leases, job: dict[str, Any]) -> JobRequest:
    claim = leases.claim(job["id"], "test-worker", f"token-{job['id']}", "torch-cpu")
    assert claim is not None
    return claim.request


def draw_floats(leases: Leases, job: dict[str, Any]) -> np.ndarray:
    """Draw a job of one image as a worker would; its canvas, float32 [rows, columns, 1]."""
    claim = leases.claim(job["id"], "test-worker", f"token-{job['id']}", "torch-cpu")
    assert claim is not None
    request = claim.request
    canvas = np.linspace(-20, 280, request.canvas_height * request.canvas_width, dtype=np.float32)
    canvas = canvas.reshape(request.canvas_height, request.canvas_width, 1)
    rows = [(0, row, pixels.tobytes()) for row, pixels in enumerate(canvas)]
    told = [
        {"sample": 0, "row": shown[0], "data": base64.b64encode(shown[1]).decode()}
        for _, row, pixels in rows
        if (shown := request.shown_row(row, pixels))
    ]
    result = SampleResult(0, json.dumps({"sample": 0, "receipt": {"margin": request.margin}}))
    update = Update(job["id"], claim.attempt, rows, json.dumps(told), results=[result])
    update.next_state, update.data = "succeeded", '{"unit": "u"}'
    leases.flush([update])
    return canvas


def pixels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)))


def test_the_card_names_kind_unit_and_noise(client: TestClient) -> None:
    density, clothes, broken = (client.get(f"/v1/models/{name}").json() for name in ("density", "clothes", "broken"))
    assert density["likelihood"] == {
        "kind": "density",
        "unit": "bit/px of a density",
        "dequantisation": "uniform",
        "percentiles": [4.5, 250.0],
    }
    assert density["image"] == {"height": None, "width": None, "channels": 1, "num_levels": 0}
    assert clothes["likelihood"]["kind"] == "exact" and clothes["likelihood"]["unit"] == "nats"
    assert broken["likelihood"] is None
    assert shape_text(DENSITY) == "any size, greyscale, 8 bits (a density: noise is added)"


def test_floats_are_shown_as_their_whole_part() -> None:
    assert to_bytes(np.asarray([np.nan, np.inf, -np.inf], np.float32), 0).tolist() == [0, 255, 0]
    floats = np.array([-0.1, 0.0, 0.99, 254.99, 255.999, 256.0, 1e9, -1e9], np.float32)
    assert to_bytes(floats, 0).tolist() == [0, 0, 0, 254, 255, 255, 255, 0]


@pytest.mark.parametrize("margin", [0, 2, None])
def test_what_was_drawn_is_cut_out_of_its_margin(client: TestClient, leases: Leases, margin: int | None) -> None:
    ask = {"model": "density", "height": 5, "width": 4} | ({} if margin is None else {"margin": margin})
    job = client.post("/v1/samples", json=ask).json()
    edge = 8 if margin is None else margin
    assert (job["request"]["height"], job["request"]["width"], job["request"]["margin"]) == (5, 4, edge)
    assert job["progress"]["total"] == (5 + edge) * (4 + 2 * edge)
    canvas = draw_floats(leases, job)
    inner = canvas[edge:, edge : edge + 4]
    here = f"/v1/jobs/{job['id']}"
    assert (pixels(client.get(f"{here}/images/0").content) == to_bytes(inner, 0)[:, :, 0]).all()
    assert (pixels(client.get(f"{here}/grid").content) == to_bytes(inner, 0)[:, :, 0]).all()
    numbers = np.load(io.BytesIO(client.get(f"{here}/images.npy").content))
    assert numbers.dtype == np.float32 and (numbers[0] == inner).all()
    finished = client.get(here).json()
    assert finished["progress"] == {"done": canvas.size, "total": canvas.size, "rows": [5]}


def test_a_preview_of_the_rows_so_far_is_without_the_margin(client: TestClient, leases: Leases) -> None:
    job = client.post("/v1/samples", json={"model": "density", "height": 3, "width": 4, "margin": 2}).json()
    canvas = draw_floats(leases, job)
    stream = client.get(f"/v1/jobs/{job['id']}/events?preview=png").text
    data = next(json.loads(line[6:]) for line in stream.splitlines() if line.startswith('data: {"done"'))
    assert [row["row"] for row in data["rows"]] == [0, 1, 2]
    row = np.frombuffer(base64.b64decode(data["rows"][1]["data"]), np.float32)
    assert (row == canvas[3, 2:6, 0]).all()
    preview = pixels(base64.b64decode(data["previews"][0]["png"]))
    assert (preview[:, :, 0] == to_bytes(canvas[2:, 2:6], 0)[:, :, 0]).all() and (preview[:, :, 3] == 255).all()


@pytest.mark.parametrize(
    ("ask", "param", "words"),
    [
        ({"model": "density", "height": 5, "width": 4, "temperature": 0.9}, "temperature", "drawn at 1 only"),
        ({"model": "density"}, "height", "draws any size, so say which"),
        ({"model": "density", "height": 5, "width": 4, "margin": 129}, "margin", "less than or equal to 128"),
        ({"model": "clothes", "condition": {"class": 0}, "margin": 8}, "margin", "leave it out"),
        ({"model": "clothes", "condition": {"class": 0}, "clip": True}, "clip", "leave it out"),
        ({"model": "density", "height": 2000, "width": 4}, "height", "no side"),
    ],
)
def test_what_a_density_or_another_model_does_not_take_is_refused(
    client: TestClient, ask: dict[str, Any], param: str, words: str
) -> None:
    answer = client.post("/v1/samples", json=ask)
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (422, param) and words in error["message"]


def test_clipping_is_off_unless_asked_for_and_then_has_the_models_percentiles(
    client: TestClient, leases: Leases
) -> None:
    ask = {"model": "density", "height": 5, "width": 4}
    plain, clipped = (client.post("/v1/samples", json={**ask, **more}).json() for more in ({}, {"clip": True}))
    assert plain["request"]["clip"] is None and clipped["request"]["clip"] == [4.5, 250.0]
    assert claimed(leases, clipped).clip == [4.5, 250.0]


def test_a_margin_that_was_asked_for_counts_in_the_size(client: TestClient) -> None:
    fields = {"model": "density", "height": 512, "width": 512, "seed": 1}
    assert client.post("/v1/samples", json=fields).status_code == 202
    answer = client.post("/v1/samples", json={**fields, "margin": 1})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "margin")


def test_large_images_take_few_draws_and_those_of_levels_are_not_scored_at_once(client: TestClient) -> None:
    large = base64.b64encode(image_file(np.zeros((512, 512), np.uint8))).decode()
    for draws, status in ((16, 202), (17, 422)):
        fields = {"model": "density", "images": [large], "draws": draws}
        assert client.post("/v1/scores", json=fields).status_code == status
    check_score(DENSITY, ScoreFields(model="density"), (1024, 1024))
    check_score(COLOUR, ScoreFields(model="colour"), (512, 512))
    with pytest.raises(ApiError, match="1024x513 pixels are too many"):
        check_score(COLOUR, ScoreFields(model="colour"), (513, 1024))


def test_levels_of_any_size_have_no_margin_unless_asked_for(client: TestClient, leases: Leases) -> None:
    job = client.post("/v1/samples", json={"model": "colour", "height": 5, "width": 4}).json()
    assert claimed(leases, job).margin == 0
    job = client.post("/v1/samples", json={"model": "colour", "height": 5, "width": 4, "margin": 3}).json()
    assert claimed(leases, job).margin == 3


def test_bytes_are_scored_under_noise_of_the_seed(client: TestClient, leases: Leases) -> None:
    data = {"model": "density", "seed": "7", "draws": "3"}
    job = client.post("/v1/scores", data=data, files={"image": image_file(grey(3, 9))}).json()
    assert (job["request"]["seed"], job["request"]["draws"]) == (7, 3)
    claim = leases.claim(job["id"], "worker", "token", "profile")
    assert claim is not None and claim.uploads == [grey(3, 9).tobytes()]
    assert (claim.request.seed, claim.request.draws, claim.request.height) == (7, 3, 3)
    silent = client.post("/v1/scores", data={"model": "density"}, files={"image": image_file(grey())}).json()
    assert silent["request"]["draws"] == 1 and silent["request"]["seed"] is not None


@pytest.mark.parametrize("field", ["seed", "draws"])
def test_levels_are_scored_without_noise(client: TestClient, field: str) -> None:
    data = {"model": "clothes", "condition": "each", field: "2"}
    answer = client.post("/v1/scores", data=data, files={"image": image_file(grey())})
    assert answer.status_code == 422 and answer.json()["error"]["param"] == field
    assert "scores levels exactly" in answer.json()["error"]["message"]


def test_the_map_of_a_density_is_in_its_own_unit(client: TestClient, leases: Leases) -> None:
    data = {"model": "density", "per_pixel": "true"}
    job = client.post("/v1/scores", data=data, files={"image": image_file(grey(2, 3))}).json()
    claim = leases.claim(job["id"], "worker", "token", "profile")
    assert claim is not None
    bits = np.array([[1, 2, 3], [4, 5, 6]], "<f4")
    leases.flush([Update(job["id"], claim.attempt, results=[SampleResult(0, '{"sample": 0}', 6, bits.tobytes())])])
    picture = Image.open(io.BytesIO(client.get(f"/v1/jobs/{job['id']}/maps/0").content))
    assert np.asarray(picture).tolist() == [[255, 204, 153], [102, 51, 0]]
    told = json.loads(picture.text["scanline-map"])  # type: ignore[attr-defined]
    assert told == {"unit": "-1 bit/px of a density", "black": -6.0, "white": -1.0}


def coloured(height: int, width: int) -> bytes:
    return image_file(np.random.default_rng(0).integers(0, 256, (height, width, 3)))


@pytest.mark.parametrize("path", ["/v1/scores", "/v1/completions"])
@pytest.mark.parametrize("card", [CLOTHES, DENSITY])
def test_colour_is_turned_grey_on_request_and_the_receipt_says_so(
    client: TestClient, leases: Leases, path: str, card: Any
) -> None:
    data = {"model": card.id} | ({"condition": '{"class": 0}'} if card is CLOTHES else {})
    data |= {"rows": "2"} if path == "/v1/completions" else {}
    refused = client.post(path, data=data, files={"image": coloured(8, 6)}).json()["error"]
    assert refused["code"] == "image_does_not_fit" and "`grayscale=true`" in refused["message"]
    job = client.post(path, data=data | {"grayscale": "true"}, files={"image": coloured(8, 6)}).json()
    claim = leases.claim(job["id"], "worker", "token", "profile")
    assert claim is not None
    assert claim.uploads == [np.asarray(Image.open(io.BytesIO(coloured(8, 6))).convert("L")).tobytes()]
    facts = claim.request.upload or {}
    assert (facts["images"][0] if "images" in facts else facts)["grayscale"] is True


def test_a_colour_model_takes_no_grayscale(client: TestClient) -> None:
    data = {"model": COLOUR.id, "grayscale": "true"}
    answer = client.post("/v1/scores", data=data, files={"image": coloured(8, 6)})
    assert answer.status_code == 422 and answer.json()["error"]["param"] == "grayscale"
