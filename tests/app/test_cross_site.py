"""A browser on another site's page gets nothing done; our page, curl and libraries do."""

import pytest
from fastapi.testclient import TestClient

ASK = {"model": "clothes", "condition": {"class": "Sandal"}}


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site", "Origin": "https://elsewhere.example"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://elsewhere.example"},
        {"Origin": "null"},
    ],
)
def test_another_sites_page_can_neither_ask_nor_cancel(client: TestClient, headers: dict[str, str]) -> None:
    job = client.post("/v1/samples", json=ASK).json()
    for answer in (
        client.post("/v1/samples", json=ASK, headers=headers),
        client.post(f"/v1/jobs/{job['id']}/cancel", headers=headers),
        client.delete(f"/v1/jobs/{job['id']}", headers=headers),
    ):
        assert answer.status_code == 403
        assert answer.json()["error"]["code"] == "cross_site"
    assert client.get(f"/v1/jobs/{job['id']}", headers=headers).json()["state"] == "queued"


@pytest.mark.parametrize(
    "headers",
    [{}, {"Sec-Fetch-Site": "same-origin", "Origin": "http://testserver"}, {"Origin": "http://testserver"}],
)
def test_our_own_page_and_clients_that_are_no_browsers_can(client: TestClient, headers: dict[str, str]) -> None:
    assert client.post("/v1/samples", json=ASK, headers=headers).status_code == 202
