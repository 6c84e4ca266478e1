"""Liveness, readiness, metrics."""

from fastapi.testclient import TestClient
from prometheus_client.parser import text_string_to_metric_families

from tests.app.parts import BROKEN, draw, publish
from worker.leases import Leases


def metrics(client: TestClient) -> dict[tuple[str, str], float]:
    """By name and labels."""
    families = text_string_to_metric_families(client.get("/metrics").text)
    return {
        (sample.name, ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_the_process_is_alive(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_ready_means_a_worker_with_an_admitted_model(client: TestClient, leases: Leases) -> None:
    assert client.get("/readyz").json() == {"status": "ready", "workers": 1, "models": ["clothes", "colour", "ink"]}
    publish(leases, (BROKEN,))
    assert client.get("/readyz").status_code == 503
    leases.withdraw("test-worker")
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_worker")


def test_a_worker_that_still_looks_through_its_bundles_is_not_ready(client: TestClient, leases: Leases) -> None:
    publish(leases, is_complete=False)
    assert client.get("/readyz").status_code == 503
    assert client.post("/v1/samples", json={"model": "ink"}).status_code == 202


def test_metrics_tell_the_truth_about_jobs(client: TestClient, leases: Leases) -> None:
    job_ids = [client.post("/v1/samples", json={"model": "ink"}).json()["id"] for _ in range(3)]
    draw(leases, job_ids[0])
    found = metrics(client)
    assert found["scanline_jobs", "state=queued"] == 2
    assert found["scanline_jobs", "state=succeeded"] == 1
    assert found["scanline_jobs_queued", "model=ink"] == 2
    assert found["scanline_workers", ""] == 1
    assert found["scanline_model_pixels_per_second", "model=clothes,worker=test-worker"] == 1000
    assert found["scanline_store_bytes", ""] > 0
    for job_id in job_ids:
        client.delete(f"/v1/jobs/{job_id}")
    found = metrics(client)
    assert {found["scanline_jobs", f"state={state}"] for state in ("queued", "running", "succeeded")} == {0}
    assert found["scanline_store_bytes", ""] == 0


def test_requests_are_counted_by_route_not_by_id(client: TestClient) -> None:
    name, labels = "scanline_http_requests_total", "method=GET,route=/v1/jobs/{job_id},status=404"
    before = metrics(client).get((name, labels), 0)
    client.get("/v1/jobs/one")
    client.get("/v1/jobs/two")
    assert metrics(client)[name, labels] == before + 2


def test_a_method_that_nobody_knows_is_no_label(client: TestClient) -> None:
    for method in ("BREW", "WHEN"):
        assert client.request(method, "/v1/jobs").status_code == 405
    methods = {labels.split(",")[0] for name, labels in metrics(client) if name == "scanline_http_requests_total"}
    assert "method=other" in methods and not methods & {"method=BREW", "method=WHEN"}
