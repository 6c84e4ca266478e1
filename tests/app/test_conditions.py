"""Conditions over HTTP: what each kind of bundle takes, and how everything else is refused."""

import base64
import dataclasses
import json
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from tests.app.parts import CLOTHES, INK, black_and_white, draw, grey, image_file, publish
from worker.leases import Leases
from worker.protocol import Card
from worker.records import Records

EMBEDDING = {"kind": "embedding", "size": 3, "normalised": True, "takes_image": True}
FACES = Card(
    "faces", "fa" * 32, "admitted", height=8, width=6, channels=1, num_levels=2, conditioning=EMBEDDING, profile="torch"
)
CODES = Card(
    "codes",
    "c0" * 32,
    "admitted",
    height=8,
    width=6,
    channels=1,
    num_levels=2,
    conditioning={**EMBEDDING, "normalised": False, "takes_image": False},
)
TAGGED = Card(
    "tagged",
    "a0" * 32,
    "admitted",
    height=8,
    width=6,
    channels=1,
    num_levels=2,
    conditioning={"kind": "tags", "names": ["Heart", "sky & weather", "noto"]},
)

JSON = {"Content-Type": "application/json"}


@pytest.fixture
def client(running_app: TestClient, leases: Leases) -> TestClient:
    publish(leases, (FACES, CODES, TAGGED, CLOTHES, INK))
    return running_app


def base64_of(file: bytes) -> str:
    return base64.b64encode(file).decode()


def picture(**options: Any) -> dict[str, Any]:
    return {"image": base64_of(image_file(black_and_white())), **options}


def post(client: TestClient, model: str, **fields: Any) -> Any:
    return client.post("/v1/samples", json={"model": model, "seed": 1, **fields})


def refused(answer: Any) -> tuple[int, str, str, str]:
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["param"], error["message"]


def test_tags_are_looked_up_in_any_case_and_kept_in_their_order(client: TestClient, records: Records) -> None:
    job = post(client, "tagged", condition={"tags": ["noto", "HEART", "noto"]}).json()
    assert job["request"]["condition"] == {"tags": ["Heart", "noto"]}
    assert records.get(job["id"]).request.condition == {"tags": ["Heart", "noto"]}
    assert post(client, "tagged", condition={"tags": []}).json()["request"]["condition"] == {"tags": []}


def test_a_name_as_it_is_written_comes_before_the_same_in_another_case(client: TestClient, leases: Leases) -> None:
    names = ["A", "a"]
    publish(leases, (dataclasses.replace(TAGGED, conditioning={"kind": "tags", "names": names}),))
    for name in names:
        assert post(client, "tagged", condition={"tags": [name]}).json()["request"]["condition"] == {"tags": [name]}


def test_a_name_of_any_length_is_told_shortened(client: TestClient) -> None:
    for model, condition in (("tagged", {"tags": ["x" * 100_000]}), ("clothes", {"class": "x" * 100_000})):
        answer = post(client, model, condition=condition)
        assert answer.status_code == 422 and len(answer.text) < 2000


@pytest.mark.parametrize(
    ("model", "condition"),
    [
        ("clothes", {"class": ["x" * 100_000]}),
        ("codes", {"embedding": [0, 0, "\ud800"]}),
        ("codes", {"embedding": [[], 0, 0]}),
    ],
)
def test_a_value_of_any_kind_is_told_shortened(client: TestClient, model: str, condition: dict[str, Any]) -> None:
    """Half of a pair of surrogates is JSON, and no answer could be encoded with it."""
    answer = client.post("/v1/samples", content=json.dumps({"model": model, "condition": condition}), headers=JSON)
    assert answer.status_code == 422 and len(answer.text) < 2000


def test_a_condition_of_many_numbers_fits_into_a_form(client: TestClient, leases: Leases) -> None:
    size = 4096
    publish(leases, (dataclasses.replace(CODES, conditioning={**CODES.conditioning, "size": size}),))  # type: ignore[dict-item]
    condition = json.dumps({"embedding": [0.1234567890123456] * size})
    files = {"image": image_file(black_and_white())}
    answer = client.post("/v1/completions", data={"model": "codes", "rows": "2", "condition": condition}, files=files)
    assert answer.status_code == 202


def test_an_embedding_is_kept_as_it_was_sent(client: TestClient) -> None:
    job = post(client, "faces", condition={"embedding": [1, -0.25, 1e-3]}).json()
    assert job["request"]["condition"] == {"embedding": [1.0, -0.25, 0.001]}


def test_an_image_becomes_levels_among_the_uploads(client: TestClient, leases: Leases) -> None:
    condition = picture(levels="threshold")
    job = post(client, "faces", n=2, condition=condition).json()
    told = job["request"]["condition"]["image"]
    assert (told["upload"], told["format"], told["width"], told["levels"]) == (0, "PNG", 6, "threshold")
    claim = leases.claim(job["id"], "w", "t", "torch")
    assert claim is not None and claim.uploads == [(black_and_white() // 255).tobytes()]


def test_a_path_has_an_image_a_step(client: TestClient, leases: Leases) -> None:
    path = {"from": picture(), "to": {"embedding": [0, 0, 1]}, "steps": 5}
    job = post(client, "faces", interpolate=path).json()
    assert job["request"]["n"] == 5 and len(job["links"]["images"]) == 5
    told = job["request"]["condition"]["interpolate"]
    assert told["from"]["image"]["upload"] == 0 and told["to"] == {"embedding": [0, 0, 1]} and told["steps"] == 5
    draw(leases, job["id"])
    assert client.get(f"/v1/jobs/{job['id']}/grid").status_code == 200


def test_scores_and_completions_keep_their_own_uploads_first(client: TestClient, leases: Leases) -> None:
    own, other = image_file(255 - black_and_white()), picture()
    levels = [(1 - black_and_white() // 255).astype(np.uint8).tobytes(), (black_and_white() // 255).tobytes()]
    data = {"model": "faces", "rows": "3", "condition": json.dumps(other)}
    completion = client.post("/v1/completions", data=data, files={"image": own}).json()
    body = {"model": "faces", "images": [base64_of(own)], "condition": other}
    score = client.post("/v1/scores", json=body).json()
    for job in (completion, score):
        assert job["request"]["condition"]["image"]["upload"] == 1
        claim = leases.claim(job["id"], "w", "t" + job["id"], "torch")
        assert claim is not None and claim.uploads == levels


@pytest.mark.parametrize(
    ("model", "condition", "code", "param", "says"),
    [
        ("ink", {"embedding": [1]}, "condition_not_taken", "condition", "`ink` is unconditional"),
        ("faces", None, "condition_required", "condition", '{"embedding": [3 numbers]}, which are scaled to length 1'),
        ("faces", {"class": 1}, "condition_not_taken", "condition", 'or {"image": a PNG, JPEG or WebP file in base64}'),
        ("faces", {"image": "aa", "class": 1}, "unknown_field", "condition.class", "`class` is not a known field"),
        ("faces", {"image": "aa", "embedding": [1, 2, 3]}, "condition_not_taken", "condition", "`faces` takes"),
        ("faces", {"embedding": [1, 2, 3], "tags": []}, "condition_not_taken", "condition", "`faces` takes"),
        ("codes", picture(), "condition_not_taken", "condition", '`codes` takes {"embedding": [3 numbers]}.'),
        ("faces", {"embedding": [1, 2]}, "invalid_field", "condition.embedding", "has 2 numbers; `faces` takes 3"),
        ("faces", {"embedding": "abc"}, "invalid_field", "condition.embedding", "must be a list of 3 numbers"),
        ("faces", {"embedding": [0, 0, 0]}, "invalid_field", "condition.embedding", "is zero, which has no direction"),
        ("codes", {"embedding": [1, True, 3]}, "invalid_field", "condition.embedding.1", "is True; numbers from -1e"),
        ("codes", {"embedding": [1, 2, 2e6]}, "invalid_field", "condition.embedding.2", "is 2000000.0; numbers from"),
        ("faces", {"image": "###"}, "invalid_field", "condition.image", "is not base64"),
        ("faces", {"image": ""}, "invalid_field", "condition.image", "at least 1 character"),
        ("faces", {"image": 7}, "invalid_field", "condition.image", "should be a valid string"),
        ("faces", picture(fit="stretch"), "invalid_field", "condition.fit", "'reject' or 'resize'"),
        ("tagged", {"tags": ["hearth"]}, "unknown_tag", "condition.tags", "Did you mean `Heart`?"),
        ("tagged", {"tags": ["zzz"]}, "unknown_tag", "condition.tags", "Its tags are: Heart, sky & weather, noto."),
        ("tagged", {"tags": "Heart"}, "invalid_field", "condition.tags", "must be a list of names of tags"),
        ("tagged", {"tags": [1]}, "invalid_field", "condition.tags", "must be a list of names of tags"),
        ("tagged", "each", "condition_not_taken", "condition", '`tagged` takes {"tags": [names]}'),
        ("tagged", {"tags": ["noto"] * 4}, "invalid_field", "condition.tags", "has 4 tags; `tagged` knows 3"),
        ("clothes", {"tags": ["Bag"]}, "condition_not_taken", "condition", '`clothes` takes {"class": name or index}'),
    ],
)
def test_what_a_bundle_does_not_take_is_refused_and_the_message_says_what_it_does(
    client: TestClient, model: str, condition: Any, code: str, param: str, says: str
) -> None:
    status, found, field, message = refused(post(client, model, condition=condition))
    assert (status, found, field) == (422, code, param)
    assert says in message


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_a_number_that_is_none_is_refused(client: TestClient, number: str) -> None:
    body = f'{{"model": "faces", "condition": {{"embedding": [0, {number}, 1]}}}}'
    answer = client.post("/v1/samples", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == (422 if number == "1e999" else 400)


@pytest.mark.parametrize(
    ("file", "status", "code", "says"),
    [
        (b"hello", 415, "unsupported_image", "is not an image"),
        (image_file(grey(8, 6))[:-30], 400, "image_unreadable", "damaged or cut short"),
        (image_file(grey(9, 6)), 422, "image_does_not_fit", "is 6x9 pixels and 6x8 are needed"),
        (image_file(grey()), 422, "image_does_not_fit", "values between the model's levels"),
        (image_file(np.zeros((8, 6, 4), np.uint8)), 422, "image_does_not_fit", "has transparent pixels"),
        (image_file(np.zeros((5200, 5200), np.uint8)), 413, "image_too_large", "at most 25000000 pixels"),
    ],
    ids=["no image", "cut short", "another size", "other levels", "transparent", "too large"],
)
def test_a_condition_image_is_refused_as_any_upload_is(
    client: TestClient, file: bytes, status: int, code: str, says: str
) -> None:
    found, told, field, message = refused(post(client, "faces", condition={"image": base64_of(file)}))
    assert (found, told, field) == (status, code, "condition.image")
    assert says in message


@pytest.mark.parametrize(
    ("model", "fields", "param", "says"),
    [
        ("clothes", {"interpolate": {}}, "interpolate", "`interpolate` draws between embeddings"),
        ("faces", {"interpolate": {"from": picture()}}, "interpolate", 'takes {"from": condition, "to": condition'),
        ("faces", {"steps": 1}, "interpolate.steps", "must be 2 to 8, both ends counted"),
        ("faces", {"steps": 9}, "interpolate.steps", "must be 2 to 8"),
        ("faces", {"to": {"embedding": [1]}}, "interpolate.to.embedding", "has 1 numbers"),
        ("faces", {"from": {"class": 1}}, "interpolate.from", "`interpolate.from` is of another form: `faces` takes"),
        ("faces", {"to": None}, "interpolate.to", "`interpolate.to` is missing: `faces` takes"),
        ("faces", {"steps": "x" * 9999}, "interpolate.steps", "must be 2 to 8"),
        ("faces", {"to": {"embedding": [-7, 0, 1e-5]}}, "interpolate", "to its opposite: the middle one of 3 steps"),
        ("faces", {"n": 2}, "n", "Give `n` or `interpolate`, not both"),
        ("faces", {"condition": picture()}, "condition", "Give `condition` or `interpolate`, not both"),
    ],
)
def test_a_path_that_is_none_is_refused(
    client: TestClient, model: str, fields: dict[str, Any], param: str, says: str
) -> None:
    ends = {"from": {"embedding": [1, 0, 0]}, "to": {"embedding": [0, 1, 0]}, "steps": 3}
    path = {**ends, **{name: fields[name] for name in ends if name in fields}}
    others = {name: value for name, value in fields.items() if name not in ends}
    status, _, field, message = refused(post(client, model, **{"interpolate": path, **others}))
    assert (status, field) == (422, param)
    assert says in message and len(message) < 500


def test_the_same_key_with_another_condition_is_another_request(client: TestClient) -> None:
    def keyed(**fields: Any) -> Any:
        body = {"model": "faces", **fields}
        return client.post("/v1/samples", json=body, headers={"Idempotency-Key": "k"})

    first = keyed(condition=picture())
    assert keyed(condition=picture()).json()["id"] == first.json()["id"]
    assert keyed(condition=picture(levels="threshold")).json()["error"]["code"] == "idempotency_key_reused"
    path = {"from": picture(), "to": picture(), "steps": 2}
    assert keyed(interpolate=path).json()["error"]["code"] == "idempotency_key_reused"


def test_models_say_what_they_take(client: TestClient) -> None:
    conditioning = {model["id"]: model["conditioning"] for model in client.get("/v1/models").json()["data"]}
    assert conditioning["faces"] == EMBEDDING and conditioning["tagged"]["kind"] == "tags"


def test_the_schema_shows_every_form(client: TestClient) -> None:
    document = client.get("/openapi.json").json()
    content = document["paths"]["/v1/samples"]["post"]["requestBody"]["content"]["application/json"]
    fields = content["schema"]["properties"]
    forms = [form.get("required") for form in fields["condition"]["anyOf"]]
    assert forms == [["class"], ["tags"], ["embedding"], ["image"], ["map"], None]
    assert [set(example) - {"fit", "levels"} for example in fields["condition"]["examples"]] == [
        {form[0]} for form in forms if form
    ]
    assert fields["interpolate"]["examples"][0].keys() == {"from", "to", "steps"}
