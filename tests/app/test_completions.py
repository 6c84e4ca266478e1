"""POST /v1/completions: rows, masks, transparency; what travels to the worker; what is refused."""

from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from httpx2 import Response
from PIL import Image

from tests.app.parts import black_and_white, grey, image_file
from worker.leases import Claim, Leases
from worker.records import Records

FIELDS = {"model": "clothes", "condition": '{"class": "Bag"}'}


def ask(client: TestClient, image: bytes, mask: bytes | None = None, **fields: Any) -> Response:
    files = {"image": ("image.png", image)} | ({} if mask is None else {"mask": ("mask.png", mask)})
    return client.post("/v1/completions", files=files, data=FIELDS | fields)


def claim(leases: Leases, answer: Response) -> Claim:
    claimed = leases.claim(answer.json()["id"], "worker", "token", "profile")
    assert claimed is not None
    return claimed


def test_rows_are_kept_from_the_top(client: TestClient, leases: Leases) -> None:
    answer = ask(client, image_file(grey()), rows=3, n=2, seed=7)
    job = answer.json()
    assert answer.status_code == 202
    assert (job["request"]["rows"], job["request"]["conditioning"], job["request"]["n"]) == (3, "exact", 2)
    claimed = claim(leases, answer)
    assert claimed.uploads == [grey().tobytes()] and claimed.mask is None
    assert claimed.request.known_rows == 3 and claimed.request.condition == {"class": 3}


def test_a_mask_says_which_pixels_are_drawn(client: TestClient, leases: Leases) -> None:
    mask = np.full((8, 6), 255)
    mask[2:4, 1:3] = 0
    answer = ask(client, image_file(grey()), image_file(mask))
    assert answer.json()["request"]["conditioning"] == "causal_only"
    assert claim(leases, answer).mask == (mask > 0).astype(np.uint8).tobytes()


def test_a_mask_whose_hole_ends_the_raster_is_exact(client: TestClient) -> None:
    mask = np.full((8, 6), 255)
    mask[4, 3:] = mask[5:] = 0
    assert ask(client, image_file(grey()), image_file(mask)).json()["request"]["conditioning"] == "exact"


def test_without_rows_and_mask_the_images_transparent_pixels_are_drawn(client: TestClient, leases: Leases) -> None:
    image = Image.fromarray(grey()).convert("LA")
    image.putpixel((2, 1), (0, 0))
    answer = ask(client, image_file(image))
    assert (claim(leases, answer).mask or b"").count(b"\0") == 1


def test_a_photograph_is_fitted_when_asked_and_the_receipt_will_say_so(client: TestClient, leases: Leases) -> None:
    photograph = image_file(np.full((80, 60, 3), 200), file_format="JPEG")
    answer = ask(client, photograph, rows=4, fit="resize", levels="threshold", model="ink", condition="null")
    claimed = claim(leases, answer)
    assert claimed.uploads == [b"\1" * 48]
    assert claimed.request.upload is not None
    facts = {name: claimed.request.upload[name] for name in ("fit", "levels", "format", "width", "height")}
    assert facts == {"fit": "resize", "levels": "threshold", "format": "JPEG", "width": 60, "height": 80}


GREY = image_file(grey())
REFUSED: list[tuple[dict[str, Any], int, str, str, str]] = [
    ({"image": GREY}, 422, "missing_field", "rows", "`mask`"),
    ({"image": GREY, "rows": 8}, 422, "nothing_to_draw", "rows", "0 to 7"),
    ({"image": GREY, "rows": -1}, 422, "invalid_field", "rows", "greater than or equal to 0"),
    ({"image": GREY, "rows": "many"}, 422, "invalid_field", "rows", "valid integer"),
    ({"image": GREY, "rows": 1, "mask": GREY}, 422, "invalid_field", "rows", "not both"),
    ({"image": GREY, "mask": image_file(np.full((8, 6), 255))}, 422, "nothing_to_draw", "mask", "transparent or 0"),
    ({"image": GREY, "mask": image_file(grey(9, 9))}, 422, "image_does_not_fit", "mask", "one size"),
    ({"image": image_file(grey(28, 28)), "rows": 1}, 422, "image_does_not_fit", "image", "6x8"),
    ({"image": image_file(np.stack([grey(), grey(), grey() + 9], 2)), "rows": 1}, 422, "image_does_not_fit", "image",
     "greyscale"),
    ({"image": b"plain text", "rows": 1}, 415, "unsupported_image", "image", "PNG, JPEG or WebP"),
    ({"image": GREY[:60], "rows": 1}, 400, "image_unreadable", "image", "cut short"),
    ({"image": GREY, "rows": 1, "condition": "{"}, 400, "malformed_body", "condition", "valid JSON"),
    ({"image": GREY, "rows": 1, "condition": '{"embedding": [NaN]}'}, 400, "malformed_body", "condition", "finite"),
    ({"image": GREY, "rows": 1, "model": "none"}, 404, "unknown_model", "model", "clothes"),
    ({"image": GREY, "row": 1}, 422, "unknown_field", "row", "`rows`"),
    ({"image": GREY, "rows": 1, "fit": "crop"}, 422, "invalid_field", "fit", "'reject' or 'resize'"),
    ({"image": GREY, "rows": 1, "model": "ink", "condition": "null"}, 422, "image_does_not_fit", "image", "0 and 255"),
]  # fmt: skip


@pytest.mark.parametrize(("sent", "status", "code", "param", "words"), REFUSED)
def test_a_refusal_says_what_would_be_right(
    client: TestClient, sent: dict[str, Any], status: int, code: str, param: str, words: str
) -> None:
    answer = ask(client, **sent)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert words in error["message"]


def test_the_image_must_be_a_file(client: TestClient) -> None:
    answer = client.post("/v1/completions", data=FIELDS | {"rows": 1}, files={"picture": GREY})
    assert answer.json()["error"]["code"] == "unknown_field" and "image, mask" in answer.json()["detail"]
    answer = client.post("/v1/completions", data=FIELDS | {"rows": "1"}, files={"mask": GREY})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "image")


def test_two_images_are_one_too_many(client: TestClient) -> None:
    answer = client.post("/v1/completions", data=FIELDS, files=[("image", GREY), ("image", GREY)])
    assert answer.status_code == 422 and "give it once" in answer.json()["detail"]


def test_a_model_of_any_size_takes_the_images(client: TestClient, records: Records) -> None:
    answer = ask(client, image_file(grey(5, 9)), rows=2, model="colour", condition="null")
    request = records.get(answer.json()["id"]).request
    assert (request.height, request.width) == (5, 9)


def test_black_and_white_fits_a_binary_model(client: TestClient, leases: Leases) -> None:
    answer = ask(client, image_file(black_and_white()), rows=2, model="ink", condition="null")
    assert claim(leases, answer).uploads == [(grey() % 2).tobytes()]


def test_a_file_that_came_as_text_is_said_to_be_one(client: TestClient) -> None:
    answer = client.post("/v1/completions", files={"model": (None, "clothes"), "image": (None, "d.png")})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "image")
    assert "-F image=@picture.png" in answer.json()["detail"]
