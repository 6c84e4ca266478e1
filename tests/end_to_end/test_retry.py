"""Idempotency-Key: a retry gives the job of the first try."""

from concurrent.futures import ThreadPoolExecutor

from httpx2 import Response

from tests.end_to_end.services import Api

WAIT = {"Prefer": "wait=30"}


def test_a_retry_gives_the_same_job_and_draws_nothing_twice(api: Api) -> None:
    headers = WAIT | {"Idempotency-Key": "retry-1"}
    first = api.client.post("/v1/samples", json={"model": "ink"}, headers=headers)
    again = api.client.post("/v1/samples", json={"model": "ink"}, headers=headers)
    assert first.status_code == again.status_code == 200
    assert first.json() == again.json()
    assert first.json()["attempt"] == 1


def test_retries_at_the_same_time_give_one_job(api: Api) -> None:
    def ask(_: int) -> Response:
        return api.client.post("/v1/samples", json={"model": "ink"}, headers={"Idempotency-Key": "retry-2"})

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(ask, range(8)))
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert {answer.status_code for answer in answers} == {202}
