"""The web page's files, and the headers that go with everything."""

import pytest
from fastapi.testclient import TestClient

from app.settings import Settings

PAGE = Settings().page_dir


def test_the_root_is_the_page(client: TestClient) -> None:
    answer = client.get("/")
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.content == (PAGE / "index.html").read_bytes()


@pytest.mark.parametrize(
    ("name", "content_type"), [("main.js", "text/javascript"), ("base.css", "text/css"), ("icon.svg", "image/svg+xml")]
)
def test_a_file_has_its_type_and_is_revalidated(client: TestClient, name: str, content_type: str) -> None:
    answer = client.get(f"/{name}")
    assert answer.headers["Content-Type"].startswith(content_type)
    assert answer.headers["Cache-Control"] == "no-cache"
    again = client.get(f"/{name}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/", "/docs", "/v1/models", "/nothing"])
def test_nothing_foreign_may_run(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["/nothing", "/../settings.py", "/%2e%2e/settings.py", "/v1/nothing"])
def test_what_is_not_there_is_a_problem_document(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")
    assert client.post(path).status_code == 404


def test_a_wrong_method_is_told_the_right_one(client: TestClient) -> None:
    answer = client.put("/v1/jobs")
    assert (answer.status_code, answer.json()["error"]["code"], answer.headers["Allow"]) == (
        405, "method_not_allowed", "GET",
    )  # fmt: skip
    assert "it takes GET" in answer.json()["detail"]
