"""What the three POSTs have in common: idempotency, waiting, limits."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.dispatch import ASK_EVERY, MESSAGES_A_JOB
from app.main import create_app
from app.settings import Settings
from tests.app.parts import black_and_white, image_file, publish
from tests.services import Valkey
from worker.leases import Leases
from worker.records import Records

ASK = {"model": "ink"}
MAX_MESSAGES = MESSAGES_A_JOB * 20  # of the app of these tests
KEY = {"Idempotency-Key": "key-1"}


def test_the_same_key_and_request_give_the_same_job(client: TestClient, records: Records) -> None:
    first = client.post("/v1/samples", json=ASK, headers=KEY)
    again = client.post("/v1/samples", json={"n": 1, "temperature": 1, "model": "ink"}, headers=KEY)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    assert records.counts()["jobs"]["queued"] == 1


@pytest.mark.parametrize(
    "other", [{"n": 2}, {"seed": 1}, {"temperature": 0.5}, {"model": "colour", "height": 2, "width": 2}]
)
def test_the_same_key_for_another_request_is_refused(client: TestClient, other: dict[str, Any]) -> None:
    client.post("/v1/samples", json=ASK, headers=KEY)
    answer = client.post("/v1/samples", json=ASK | other, headers=KEY)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "idempotency_key_reused")
    assert "new key" in answer.json()["detail"]


def test_files_count_by_their_content(client: TestClient) -> None:
    def ask(image: bytes) -> Any:
        data = ASK | {"rows": "2"}
        return client.post("/v1/completions", data=data, files={"image": ("any name", image)}, headers=KEY)

    image = image_file(black_and_white())
    assert ask(image).json()["id"] == ask(image).json()["id"]
    assert ask(image_file(255 - black_and_white())).status_code == 422


def test_a_sample_and_a_score_never_share_a_key(client: TestClient) -> None:
    client.post("/v1/samples", json=ASK, headers=KEY)
    answer = client.post("/v1/scores", data=ASK, files={"image": image_file(black_and_white())}, headers=KEY)
    assert answer.json()["error"]["code"] == "idempotency_key_reused"


def test_a_refused_request_does_not_use_up_its_key(client: TestClient) -> None:
    assert client.post("/v1/samples", json=ASK | {"n": 0}, headers=KEY).status_code == 422
    assert client.post("/v1/samples", json=ASK, headers=KEY).status_code == 202


def test_a_key_that_is_too_long_is_refused(client: TestClient) -> None:
    answer = client.post("/v1/samples", json=ASK, headers={"Idempotency-Key": "x" * 256})
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "Idempotency-Key")


def test_a_wait_that_ends_without_a_result_is_202(client: TestClient) -> None:
    answer = client.post("/v1/samples", json=ASK, headers={"Prefer": "wait=1"})
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=1")
    assert answer.json()["state"] == "queued"


def test_without_prefer_there_is_no_preference_applied(client: TestClient) -> None:
    assert "Preference-Applied" not in client.post("/v1/samples", json=ASK).headers


def test_a_body_over_the_limit_is_refused_by_its_length(client: TestClient) -> None:
    answer = client.post("/v1/samples", content=b" " * (2**20 + 1), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")
    assert "1048576 bytes" in answer.json()["detail"]


@pytest.mark.parametrize("content_type", ["application/json", "multipart/form-data; boundary=x"])
def test_a_body_that_grows_over_the_limit_is_refused_too(client: TestClient, content_type: str) -> None:
    chunks = (b" " * 2**16 for _ in range(17))  # sent in chunks, so without a Content-Length
    answer = client.post("/v1/scores", content=chunks, headers={"Content-Type": content_type})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("name", ["condition", "x" * 200])
def test_a_field_of_a_form_that_is_too_long_is_named(valkey: Valkey, leases: Leases, name: str) -> None:
    publish(leases)
    with TestClient(create_app(Settings(redis_url=valkey.url))) as client:
        for length, status in ((2**20, 422), (2**20 + 1, 413), (9 * 2**20, 413)):
            fields = ASK | {"rows": "2", name: '"' + "a" * (length - 2) + '"'}
            files = {"image": image_file(black_and_white())}
            answer = client.post("/v1/completions", data=fields, files=files)
            assert (answer.status_code, answer.json()["error"]["param"]) == (status, name[:100]), length
            assert status == 422 or f"has {length} characters; a field may have 1048576" in answer.json()["detail"]


@pytest.mark.parametrize("boundary", ["", "; boundary=x"])
def test_a_form_that_does_not_parse_is_malformed(client: TestClient, boundary: str) -> None:
    headers = {"Content-Type": f"multipart/form-data{boundary}"}
    answer = client.post("/v1/completions", content=b"nonsense", headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "malformed_body")


def test_a_wait_in_a_second_prefer_header_counts(client: TestClient) -> None:
    headers = [("Prefer", "respond-async"), ("Prefer", "wait=1"), ("Content-Type", "application/json")]
    answer = client.post("/v1/samples", content=json.dumps(ASK), headers=headers)
    assert (answer.status_code, answer.headers["Preference-Applied"]) == (202, "wait=1")


def test_jobs_that_are_deleted_while_no_worker_listens_leave_a_bounded_number_of_messages(
    client: TestClient, records: Records
) -> None:
    for _ in range(3 * MAX_MESSAGES):
        job = client.post("/v1/samples", json=ASK).json()
        assert client.delete(f"/v1/jobs/{job['id']}").status_code == 204
    assert MAX_MESSAGES <= records.num_messages(ASK["model"]) < MAX_MESSAGES + ASK_EVERY
    assert client.post("/v1/samples", json=ASK).status_code == 202
