"""/docs, /errors and the OpenAPI document."""

import html
import re
import subprocess
from typing import Any

import pytest
from fastapi.testclient import TestClient

from app.errors import MEANINGS, Code


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    openapi: dict[str, Any] = client.get("/openapi.json").json()
    return openapi


CALLS = {
    "/v1/samples": {"post"},
    "/v1/completions": {"post"},
    "/v1/scores": {"post"},
    "/v1/jobs": {"get"},
    "/v1/jobs/{job_id}": {"get", "delete"},
    "/v1/jobs/{job_id}/cancel": {"post"},
    "/v1/jobs/{job_id}/events": {"get"},
    "/v1/jobs/{job_id}/images/{k}": {"get"},
    "/v1/jobs/{job_id}/images.zip": {"get"},
    "/v1/jobs/{job_id}/images.npy": {"get"},
    "/v1/jobs/{job_id}/grid": {"get"},
    "/v1/jobs/{job_id}/maps/{k}": {"get"},
    "/v1/jobs/{job_id}/maps/{k}.npy": {"get"},
    "/v1/models": {"get"},
    "/v1/models/{model_id}": {"get"},
    "/healthz": {"get"},
    "/readyz": {"get"},
    "/metrics": {"get"},
}


def test_every_call_is_published(document: dict[str, Any]) -> None:
    assert {path: set(methods) for path, methods in document["paths"].items()} == CALLS


def test_every_code_is_published_with_a_status_and_described_at_its_anchor(
    client: TestClient, document: dict[str, Any]
) -> None:
    assert document["components"]["schemas"]["Code"]["enum"] == [code.value for code in Code]
    assert set(MEANINGS) == set(Code)
    page = client.get("/errors").text
    assert re.findall(r'<code id="(\w+)">', page) == [code.value for code in MEANINGS]


def test_every_error_answer_is_a_problem_document(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (path, status)


def test_references_lead_somewhere(document: dict[str, Any]) -> None:
    names = set(re.findall(r"#/components/schemas/(\w+)", str(document)))
    assert names <= set(document["components"]["schemas"])


@pytest.mark.parametrize("path", ["/v1/samples", "/v1/completions", "/v1/scores"])
def test_every_body_has_an_example_of_known_fields(document: dict[str, Any], path: str) -> None:
    for media in document["paths"][path]["post"]["requestBody"]["content"].values():
        assert set(media["schema"]["required"]) <= set(media["example"]) <= set(media["schema"]["properties"])


def test_the_docs_page_shows_every_call_without_script_or_network(client: TestClient) -> None:
    page = client.get("/docs").text
    for path, methods in CALLS.items():
        for method in methods:
            assert f"<code>{method.upper()} {path}</code>" in page
    assert "<script" not in page and "<style" not in page and " style=" not in page
    assert client.get("/docs.css").headers["Content-Type"].startswith("text/css")


def test_the_docs_page_lists_the_values_that_a_field_takes(client: TestClient) -> None:
    page = client.get("/docs").text
    for values in (
        "model&#x27;s. One of <code>reject</code>, <code>resize</code>.",
        "levels. One of <code>reject</code>, <code>threshold</code>.",
        "state. One of <code>queued</code>, <code>running</code>, <code>succeeded</code>, <code>failed</code>, ",
        "How many jobs at most. 1 to 100.",
        "PNG. Only <code>png</code>.",
    ):
        assert values.replace("&#x27;", "'") in page, values


def test_the_docs_page_says_the_range_of_a_number_once(client: TestClient) -> None:
    page = client.get("/docs").text
    seeds = re.findall(r"<tr><td><code>seed</code></td>.*?</tr>", page)
    assert len(seeds) == 4
    for row in seeds:
        assert re.findall(r"\d+ to \d+", row) == [f"0 to {2**64 - 1}"]


def test_commands_of_the_docs_page_run_with_a_job_in_the_shell(client: TestClient) -> None:
    page = html.unescape(client.get("/docs").text)
    commands = re.findall(r"<pre>(curl.*?)</pre>", page, re.DOTALL)
    assert len(commands) == sum(len(methods) for methods in CALLS.values())
    assert not any("{" in command.split(" \\")[0] for command in commands)
    script = 'JOB=a1 MODEL=m; curl() { printf "%s\\n" "$@"; }; ' + "\n".join(commands)
    words = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.splitlines()
    for path in ("/v1/jobs/a1/images/0", "/v1/jobs/a1/events", "/v1/models/m", "/v1/samples"):
        assert f"http://testserver{path}" in words
