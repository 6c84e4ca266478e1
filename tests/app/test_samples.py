"""POST /v1/samples: what is accepted, and what each refusal says."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from worker.records import Records

ASK = {"model": "clothes", "condition": {"class": "Sandal"}}


def test_an_accepted_request_answers_202_with_the_jobs_address(client: TestClient) -> None:
    answer = client.post("/v1/samples", json={**ASK, "n": 3, "seed": 2**64 - 1, "temperature": 0.5})
    job = answer.json()
    assert answer.status_code == 202
    assert answer.headers["Location"] == f"/v1/jobs/{job['id']}" == job["links"]["self"]
    assert job["state"] == "queued" and job["queue_position"] == 0 and job["kind"] == "sample"
    assert job["request"]["seed"] == 2**64 - 1
    assert len(job["links"]["images"]) == 3
    assert client.get(answer.headers["Location"]).json() == job


def test_the_record_pins_the_weights_and_the_class_index(client: TestClient, records: Records) -> None:
    job = client.post("/v1/samples", json=ASK).json()
    request = records.get(job["id"]).request
    assert (request.sha256, request.condition) == ("c0" * 32, {"class": 1})
    assert (request.height, request.width, request.channels, request.num_levels) == (8, 6, 1, 256)


def test_a_seed_that_was_left_out_is_drawn_and_reported(client: TestClient) -> None:
    seeds = {client.post("/v1/samples", json=ASK).json()["request"]["seed"] for _ in range(3)}
    assert len(seeds) == 3 and all(0 <= seed < 2**53 for seed in seeds)


def test_a_message_for_the_models_queue_is_sent(client: TestClient, records: Records) -> None:
    client.post("/v1/samples", json=ASK)
    assert any(b"bundle.clothes" in key for key in records.client.keys("scanline:broker:*"))


@pytest.mark.parametrize("condition", [{"class": 1}, {"class": "Sandal"}, {"class": "sandal"}])
def test_a_class_is_named_or_numbered(client: TestClient, condition: Any) -> None:
    job = client.post("/v1/samples", json={**ASK, "condition": condition}).json()
    assert job["request"]["condition"] == {"class": 1}


def test_a_model_of_any_size_is_told_the_size(client: TestClient) -> None:
    request = client.post("/v1/samples", json={"model": "colour", "height": 5, "width": 7}).json()["request"]
    assert (request["height"], request["width"], request["channels"]) == (5, 7, 3)


def test_a_precision_that_the_model_offers_is_kept_in_the_record(client: TestClient, records: Records) -> None:
    asked = [client.post("/v1/samples", json={**ASK, **more}).json() for more in ({}, {"precision": "bfloat16"})]
    assert [job["request"]["precision"] for job in asked] == ["float32", "bfloat16"]
    assert [records.get(job["id"]).request.precision for job in asked] == ["float32", "bfloat16"]


# What is sent, the status, the code, the parameter, and words that say what would be right.
REFUSED: list[tuple[dict[str, Any], int, str, str, str]] = [
    ({}, 422, "missing_field", "model", "`model` is missing"),
    ({**ASK, "n": 0}, 422, "invalid_field", "n", "greater than or equal to 1"),
    ({**ASK, "n": 9}, 422, "invalid_field", "n", "1 to 8"),
    ({**ASK, "n": 1.5}, 422, "invalid_field", "n", "valid integer"),
    ({**ASK, "n": "2"}, 422, "invalid_field", "n", "valid integer"),
    ({**ASK, "n": True}, 422, "invalid_field", "n", "valid integer"),
    ({**ASK, "seed": -1}, 422, "invalid_field", "seed", "greater than or equal to 0"),
    ({**ASK, "seed": 2**64}, 422, "invalid_field", "seed", "18446744073709551615"),
    ({**ASK, "temperature": 0}, 422, "invalid_field", "temperature", "greater than or equal to 0.01"),
    ({**ASK, "temperature": 11}, 422, "invalid_field", "temperature", "at most 10"),
    ({**ASK, "precision": "float16"}, 422, "invalid_field", "precision", "'float32' or 'bfloat16'"),
    ({"model": "ink", "precision": "bfloat16"}, 422, "invalid_field", "precision", "it is drawn in float32"),
    ({**ASK, "model": "nobody"}, 404, "unknown_model", "model", "clothes, colour, ink"),
    ({**ASK, "model": "broken"}, 422, "model_refused", "model", "its weights have another hash"),
    ({**ASK, "sede": 1}, 422, "unknown_field", "sede", "Did you mean `seed`?"),
    ({**ASK, "zzz": 1}, 422, "unknown_field", "zzz", "model, n, seed, temperature, condition"),
    ({"model": "clothes"}, 422, "condition_required", "condition", '{"class": name or index}'),
    ({**ASK, "condition": {"class": "Sandel"}}, 422, "unknown_class", "condition.class", "Did you mean `Sandal`?"),
    ({**ASK, "condition": {"class": 4}}, 422, "unknown_class", "condition.class", "3 Bag"),
    ({**ASK, "condition": {"class": True}}, 422, "unknown_class", "condition.class", "3 Bag"),
    ({**ASK, "condition": {"tags": ["red"]}}, 422, "condition_not_taken", "condition", '{"class": name or index}'),
    ({**ASK, "condition": "each"}, 422, "condition_not_taken", "condition", '{"class": name or index}'),
    ({**ASK, "condition": 3}, 422, "condition_not_taken", "condition", '{"class": name or index}'),
    ({**ASK, "model": "ink"}, 422, "condition_not_taken", "condition", "unconditional"),
    ({**ASK, "height": 9}, 422, "invalid_field", "height", "height 8 only"),
    ({"model": "colour"}, 422, "missing_field", "height", "any size"),
    ({"model": "colour", "height": 1000, "width": 1000}, 422, "invalid_field", "height", "at most 262144"),
    ({"model": "colour", "height": 1, "width": 1025}, 422, "invalid_field", "height", "more than 1024"),
]


@pytest.mark.parametrize(("body", "status", "code", "param", "words"), REFUSED)
def test_a_refusal_says_what_would_be_right(
    client: TestClient, body: dict[str, Any], status: int, code: str, param: str, words: str
) -> None:
    answer = client.post("/v1/samples", json=body)
    problem = answer.json()
    assert answer.status_code == status == problem["status"]
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert problem["type"] == f"/errors#{code}"
    assert (problem["error"]["code"], problem["error"]["param"]) == (code, param)
    assert words in problem["detail"] == problem["error"]["message"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_not_finite_are_not_json(client: TestClient, number: str) -> None:
    text = f'{{"model": "clothes", "condition": {{"embedding": [0.5, {number}]}}}}'
    answer = client.post("/v1/samples", content=text, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "malformed_body"
    assert "numbers must be finite" in answer.json()["detail"]


def test_a_number_that_overflows_is_refused_as_not_finite(client: TestClient) -> None:
    text = '{"model": "ink", "temperature": 1e999}'
    answer = client.post("/v1/samples", content=text, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["param"]) == (422, "temperature")


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"7", b"\xff", b'{"n": ' + b"9" * 5000 + b"}", b"[" * 100000 + b"]" * 100000]
)
def test_what_is_no_json_object_is_malformed(client: TestClient, text: bytes) -> None:
    answer = client.post("/v1/samples", content=text, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed_body")


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_another_content_type_is_answered_with_the_right_one(client: TestClient, content_type: str) -> None:
    answer = client.post("/v1/samples", content=b"{}", headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["error"]["code"]) == (415, "unsupported_media_type")
    assert "application/json" in answer.json()["detail"]


def test_without_a_worker_the_answer_is_to_try_again(client: TestClient, records: Records) -> None:
    records.client.flushdb()
    answer = client.post("/v1/samples", json=ASK)
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_worker")
    assert int(answer.headers["Retry-After"]) > 0


def test_a_full_queue_is_answered_with_try_again(client: TestClient) -> None:
    accepted = [client.post("/v1/samples", json=ASK).status_code for _ in range(20)]
    answer = client.post("/v1/samples", json=ASK)
    assert set(accepted) == {202}
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "queue_full")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    ("names", "says"),
    [([f"field{k}" for k in range(20_000)], "20001 fields are given"), (["x" * 1_000_000], "x" * 100)],
)
def test_many_unknown_fields_are_answered_briefly(client: TestClient, names: list[str], says: str) -> None:
    """Whoever serves everybody else reads them, so they are counted before any is looked at."""
    answer = client.post("/v1/samples", json={"model": "clothes", **dict.fromkeys(names, 1)})
    assert says in answer.json()["error"]["message"]
    assert answer.json()["error"]["code"] == "unknown_field" and len(answer.text) < 5000
    assert "This request takes: model, " in answer.json()["error"]["message"]


def test_json_of_too_many_values_is_refused_before_it_is_parsed(client: TestClient) -> None:
    text = b'{"model": "ink", "condition": [' + b"[]," * 150_000 + b"7]}"
    answer = client.post("/v1/samples", content=text, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    assert "at most 200000 values" in answer.json()["detail"]
