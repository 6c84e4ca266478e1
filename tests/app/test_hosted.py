"""GET /v1/models, and the openai client reading it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import httpx2
import openai
import pytest
from fastapi.testclient import TestClient

from tests.app.parts import BROKEN, NAMES, publish
from worker.leases import Leases


def test_all_models_are_listed_refused_ones_with_the_reason(client: TestClient) -> None:
    answer = client.get("/v1/models").json()
    assert answer["object"] == "list"
    assert [model["id"] for model in answer["data"]] == ["broken", "clothes", "colour", "ink"]
    assert (answer["data"][0]["status"], answer["data"][0]["reason"]) == ("refused", BROKEN.reason)


def test_one_model_shows_its_card(client: TestClient) -> None:
    model = client.get("/v1/models/clothes").json()
    assert model["image"] == {"height": 8, "width": 6, "channels": 1, "num_levels": 256}
    assert model["conditioning"] == {"kind": "class", "names": NAMES}
    assert model["sha256"] == "c0" * 32 and model["pixels_per_second"] == 1000
    assert model["precisions"] == ["float32", "bfloat16"]


def test_created_is_the_day_the_training_ended_in_utc_or_0_where_nobody_wrote_it_down(client: TestClient) -> None:
    day = datetime(2026, 11, 24, tzinfo=UTC)
    assert client.get("/v1/models/clothes").json()["created"] == day.timestamp()
    assert client.get("/v1/models/ink").json()["created"] == 0


def test_an_unknown_model_is_404_and_the_hosted_are_named(client: TestClient) -> None:
    answer = client.get("/v1/models/nobody")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_model")
    assert "clothes, colour, ink" in answer.json()["detail"]


def test_without_a_worker_the_list_is_empty(client: TestClient, leases: Leases) -> None:
    leases.withdraw("test-worker")
    assert client.get("/v1/models").json() == {"object": "list", "data": []}
    assert client.get("/v1/models/ink").status_code == 503


@pytest.fixture
def openai_client(client: TestClient) -> Iterator[openai.OpenAI]:
    """The openai package, talking to the app in this process."""
    transport = getattr(client, "_transport")  # noqa: B009 - not public, but it is the app
    http_client = httpx2.Client(transport=transport)
    yield openai.OpenAI(base_url="http://testserver/v1", api_key="none", http_client=http_client, max_retries=0)


def test_the_openai_client_lists_the_models(openai_client: openai.OpenAI, leases: Leases) -> None:
    publish(leases)
    assert {model.id for model in openai_client.models.list()} == {"broken", "clothes", "colour", "ink"}
    assert openai_client.models.retrieve("ink").owned_by == "scanline"


def test_the_openai_client_reads_our_errors(openai_client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        openai_client.models.retrieve("nobody")
    assert (caught.value.code, caught.value.param, caught.value.type) == (
        "unknown_model", "model", "invalid_request_error",
    )  # fmt: skip
    assert "nobody" in caught.value.message
