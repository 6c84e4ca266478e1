"""Canceling and deleting jobs that wait or run; afterwards the slots are free."""

from tests.end_to_end.services import Api
from tests.services import wait_until


def ask_slow(api: Api, n: int = 1) -> str:
    job_id: str = api.client.post("/v1/samples", json={"model": "slow", "n": n}).json()["id"]
    return job_id


def wait_for_rows(api: Api, job_id: str) -> None:
    wait_until(lambda: api.job(job_id)["progress"]["done"] > 0, what="the first row")


def test_a_running_job_stops_within_a_moment(api: Api) -> None:
    job_id = ask_slow(api, n=64)
    wait_for_rows(api, job_id)
    api.client.post(f"/v1/jobs/{job_id}/cancel")
    events = list(api.events(job_id))
    assert [event.kind for event in events if event.kind == "canceled"] == ["canceled"]
    assert events[-1].kind == "canceled"
    job = api.job(job_id)
    assert job["state"] == "canceled" and job["progress"]["done"] < job["progress"]["total"]


def test_a_queued_job_ends_at_once_and_is_never_begun(api: Api) -> None:
    in_hand = [ask_slow(api, n=64) for _ in range(10)]  # 4 slots in each of 2 threads, and 2 more
    queued = ask_slow(api)
    try:
        assert api.job(queued)["state"] == "queued"
        assert api.client.post(f"/v1/jobs/{queued}/cancel").json()["state"] == "canceled"
        assert [event.kind for event in api.events(queued)] == ["queued", "canceled"]
    finally:
        for job_id in in_hand:
            api.client.post(f"/v1/jobs/{job_id}/cancel")
    assert {api.finished(job_id)["state"] for job_id in in_hand} == {"canceled"}
    assert api.job(queued)["attempt"] == 0


def test_a_running_job_that_is_deleted_ends_its_streams_and_frees_its_slots(api: Api) -> None:
    job_id = ask_slow(api, n=64)
    wait_for_rows(api, job_id)
    stream = api.events(job_id)
    next(stream)
    assert api.client.delete(f"/v1/jobs/{job_id}").status_code == 204
    assert list(stream)[-1].kind == "canceled"
    assert api.client.get(f"/v1/jobs/{job_id}").status_code == 410
    quick = api.client.post("/v1/samples", json={"model": "ink"}, headers={"Prefer": "wait=20"})
    assert quick.status_code == 200
