"""Looking at jobs, canceling and deleting them."""

import json
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.app.parts import CARDS, draw, publish
from worker.leases import Leases, SampleResult, Update
from worker.protocol import PROTOCOL_VERSION, Card
from worker.records import Records
from worker.store import PREFIX

ASK = {"model": "clothes", "condition": {"class": 0}, "n": 2}


def submitted(client: TestClient) -> str:
    job_id: str = client.post("/v1/samples", json=ASK).json()["id"]
    return job_id


def test_a_finished_job_shows_its_results(client: TestClient, leases: Leases) -> None:
    job_id = submitted(client)
    draw(leases, job_id)
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert job["state"] == "succeeded" and job["attempt"] == 1 and job["error"] is None
    assert job["progress"] == {"done": 96, "total": 96, "rows": [8, 8]}
    assert [result["sample"] for result in job["result"]] == [0, 1]
    assert job["result"][1]["receipt"] == {"sample": 1}
    assert job["created_at"] <= job["started_at"] <= job["finished_at"] < job["expires_at"]


def test_a_half_drawn_job_shows_its_progress(client: TestClient, leases: Leases) -> None:
    job_id = submitted(client)
    draw(leases, job_id, end=None, rows=3)
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert (job["state"], job["progress"]["done"], job["progress"]["rows"]) == ("running", 36, [3, 3])
    assert job["queue_position"] is None


def test_jobs_are_listed_newest_first_in_pages(client: TestClient) -> None:
    ids = [submitted(client) for _ in range(5)]
    first = client.get("/v1/jobs", params={"limit": 2}).json()
    second = client.get("/v1/jobs", params={"limit": 2, "cursor": first["next_cursor"]}).json()
    third = client.get("/v1/jobs", params={"limit": 2, "cursor": second["next_cursor"]}).json()
    pages = [[job["id"] for job in page["data"]] for page in (first, second, third)]
    assert pages == [[ids[4], ids[3]], [ids[2], ids[1]], [ids[0]]]
    assert third["next_cursor"] is None


def test_the_list_can_be_cut_to_one_state(client: TestClient, leases: Leases) -> None:
    done, waiting = submitted(client), submitted(client)
    draw(leases, done)
    found = {
        state: [job["id"] for job in client.get("/v1/jobs", params={"status": state}).json()["data"]]
        for state in ("succeeded", "queued", "failed")
    }
    assert found == {"succeeded": [done], "queued": [waiting], "failed": []}


def test_the_list_leaves_out_what_may_be_long_and_the_job_keeps_it(client: TestClient, leases: Leases) -> None:
    size = 4096
    told = {"kind": "embedding", "size": size, "normalised": False, "takes_image": False}
    publish(
        leases, (*CARDS, Card("told", "70" * 32, "admitted", None, height=4, width=4, channels=1, conditioning=told))
    )
    ask = {"model": "told", "condition": {"embedding": [0.123456789] * size}, "n": 8}
    job_id = client.post("/v1/samples", json=ask).json()["id"]
    claim = leases.claim(job_id, "worker", "token", "profile")
    assert claim is not None
    results = [SampleResult(k, json.dumps({"sample": k, "trace": [-1.5] * 1001})) for k in range(8)]
    leases.flush([Update(job_id, claim.attempt, results=results, next_state="succeeded")])
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert [len(result["trace"]) for result in job["result"]] == [1001] * 8
    assert len(job["request"]["condition"]["embedding"]) == size
    answer = client.get("/v1/jobs")
    assert len(answer.content) < 2000
    (listed,) = answer.json()["data"]
    left_out = {"result", "request.condition", "request.upload", "progress.rows", "links.images", "links.maps"}
    assert flat(job) - flat(listed) == left_out
    assert all(listed[name] == job[name] for name in ("id", "state", "created_at", "finished_at", "error"))
    assert listed["request"].items() <= job["request"].items() and listed["links"].items() <= job["links"].items()
    told_of_it = client.get("/openapi.json").json()["paths"]["/v1/jobs"]["get"]["description"]
    assert all(f"`{name}`" in told_of_it for name in left_out)


def flat(job: dict[str, Any]) -> set[str]:
    """The names of a job's members, and of the members of its objects."""
    return set(job) | {f"{name}.{member}" for name in job if isinstance(job[name], dict) for member in job[name]}


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ({"limit": 0}, "invalid_field", "limit"),
        ({"limit": 101}, "invalid_field", "limit"),
        ({"status": "done"}, "invalid_field", "status"),
        ({"cursor": "abc"}, "invalid_field", "cursor"),
        ({"page": 2}, "unknown_field", "page"),
    ],
)
def test_a_bad_query_is_refused(client: TestClient, query: dict[str, str], code: str, param: str) -> None:
    answer = client.get("/v1/jobs", params=query)
    assert answer.status_code == 422
    assert (answer.json()["error"]["code"], answer.json()["error"]["param"]) == (code, param)


def test_canceling_a_queued_job_ends_it_and_again_changes_nothing(client: TestClient) -> None:
    job_id = submitted(client)
    first = client.post(f"/v1/jobs/{job_id}/cancel")
    assert (first.status_code, first.json()["state"]) == (200, "canceled")
    assert client.post(f"/v1/jobs/{job_id}/cancel").json() == first.json()


def test_canceling_a_running_job_asks_its_worker_to_stop(client: TestClient, leases: Leases) -> None:
    job_id = submitted(client)
    draw(leases, job_id, end=None, rows=1)
    job = client.post(f"/v1/jobs/{job_id}/cancel").json()
    assert (job["state"], job["cancel_requested"]) == ("running", True)


def test_a_deleted_job_is_gone_and_stays_gone(client: TestClient, leases: Leases) -> None:
    job_id = submitted(client)
    draw(leases, job_id)
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
    for answer in (client.get(f"/v1/jobs/{job_id}"), client.get(f"/v1/jobs/{job_id}/images/0")):
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "job_expired")
    assert client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert client.post(f"/v1/jobs/{job_id}/cancel").status_code == 410
    assert client.get(f"/v1/jobs/{job_id}/events").status_code == 410


@pytest.mark.parametrize("path", ["", "/cancel", "/events", "/images/0", "/images.zip", "/grid", "/maps/0"])
def test_an_unknown_job_is_404(client: TestClient, path: str) -> None:
    method = "POST" if path == "/cancel" else "GET"
    answer = client.request(method, f"/v1/jobs/nobody{path}")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_job")
    assert client.delete("/v1/jobs/nobody").status_code == 404


@pytest.mark.parametrize("part", ["events", "samples", "canvas:0", ""])
def test_a_part_of_a_job_in_the_store_is_no_job(client: TestClient, leases: Leases, part: str) -> None:
    job_id = submitted(client)
    draw(leases, job_id)
    for method, path in (("GET", ""), ("GET", "/images/0"), ("GET", "/events"), ("POST", "/cancel"), ("DELETE", "")):
        answer = client.request(method, f"/v1/jobs/{job_id}:{part}{path}")
        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "unknown_job")


def test_a_failed_job_says_why(client: TestClient, leases: Leases) -> None:
    job_id = submitted(client)
    for attempt in range(4):
        claim = leases.claim(job_id, "worker", f"token {attempt}", "profile")
        leases.client.zadd("scanline:leases", {job_id: 0})
        assert (claim is None) == (attempt == 3)
    job = client.get(f"/v1/jobs/{job_id}").json()
    assert (job["state"], job["error"]["code"]) == ("failed", "worker_lost")


def test_a_job_of_another_version_is_gone_and_left_out_of_the_list(
    client: TestClient, leases: Leases, records: Records
) -> None:
    ours, key = submitted(client), {"Idempotency-Key": "kept over an upgrade"}
    theirs = client.post("/v1/samples", json=ASK, headers=key).json()["id"]
    name = f"{PREFIX}job:{theirs}"
    document = json.loads(records.client.hget(name, "request"))  # type: ignore[arg-type]
    records.client.hset(name, "request", json.dumps(document | {"protocol": PROTOCOL_VERSION + 1}))
    assert [job["id"] for job in client.get("/v1/jobs").json()["data"]] == [ours]
    for answer in (
        client.get(f"/v1/jobs/{theirs}"),
        client.get(f"/v1/jobs/{theirs}/events"),
        client.get(f"/v1/jobs/{theirs}/images/0"),
        client.post("/v1/samples", json=ASK, headers=key),
        client.post(f"/v1/jobs/{theirs}/cancel"),
    ):
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "job_expired")
        assert "another version" in answer.json()["detail"]
    assert records.counts()["jobs"]["canceled"] == 1
    assert client.delete(f"/v1/jobs/{theirs}").status_code == 204
    assert client.post("/v1/samples", json=ASK, headers=key).status_code == 202
