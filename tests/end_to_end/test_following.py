"""Event streams: complete, in order, resumable in the middle, watched by many."""

import base64
import io
import threading
from itertools import islice

import numpy as np
from PIL import Image

from tests.end_to_end.services import SLOW_SIZE, Api, Event


def rows_of(events: list[Event]) -> list[tuple[int, int]]:
    return [(row["sample"], row["row"]) for event in events for row in event.data.get("rows", [])]


def all_rows(n: int, height: int) -> list[tuple[int, int]]:
    return [(k, row) for k in range(n) for row in range(height)]


def test_a_job_tells_its_life_in_order(api: Api) -> None:
    job_id = api.client.post("/v1/samples", json={"model": "ink", "n": 2}).json()["id"]
    events = list(api.events(job_id))
    kinds = [event.kind for event in events]
    assert kinds[:2] == ["queued", "started"] and kinds[-1] == "succeeded"
    assert kinds.count("sample") == 2 and kinds.count("succeeded") == 1
    assert sorted(rows_of(events)) == all_rows(2, 8)
    done = [event.data["done"] for event in events if event.kind == "progress"]
    assert done == sorted(done) and done[-1] == 128


def test_the_rows_in_the_events_are_the_image(api: Api) -> None:
    job_id = api.client.post("/v1/samples", json={"model": "ink"}).json()["id"]
    rows = {row["row"]: row["data"] for event in api.events(job_id) for row in event.data.get("rows", [])}
    levels = b"".join(base64.b64decode(rows[row]) for row in range(8))
    assert levels == np.load(io.BytesIO(api.client.get(f"/v1/jobs/{job_id}/images.npy").content)).tobytes()


def test_a_stream_cut_in_mid_image_goes_on_where_it_was(api: Api) -> None:
    job_id = api.client.post("/v1/samples", json={"model": "slow", "n": 24}).json()["id"]
    first = list(islice(api.events(job_id), 5))
    assert api.job(job_id)["state"] == "running"
    rest = list(api.events(job_id, headers={"Last-Event-ID": first[-1].id}))
    assert sorted(rows_of(first + rest)) == all_rows(24, SLOW_SIZE)
    assert rest[-1].kind == "succeeded"


def test_a_finished_job_is_replayed_from_anywhere_and_then_there_is_nothing(api: Api) -> None:
    job_id = api.client.post("/v1/samples", json={"model": "ink"}).json()["id"]
    events = list(api.events(job_id))
    assert list(api.events(job_id)) == events
    for index in range(len(events) - 1):
        assert list(api.events(job_id, headers={"Last-Event-ID": events[index].id})) == events[index + 1 :]
        assert list(api.events(job_id, params={"after": events[index].id})) == events[index + 1 :]
    answer = api.client.get(f"/v1/jobs/{job_id}/events", headers={"Last-Event-ID": events[-1].id})
    assert (answer.status_code, answer.content) == (204, b"")


def test_many_listeners_hear_the_same(api: Api) -> None:
    job_id = api.client.post("/v1/samples", json={"model": "slow", "n": 8}).json()["id"]
    heard: dict[int, list[Event]] = {}
    threads = [threading.Thread(target=lambda k=k: heard.update({k: list(api.events(job_id))})) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(heard) == 8
    assert all(events == heard[0] for events in heard.values())


def test_a_preview_shows_the_rows_so_far(api: Api) -> None:
    job_id = api.client.post("/v1/samples", json={"model": "ink"}).json()["id"]
    final = None
    for event in api.events(job_id, params={"preview": "png"}):
        for preview in event.data.get("previews", []):
            final = np.asarray(Image.open(io.BytesIO(base64.b64decode(preview["png"]))))
            assert (final[: preview["rows"], :, 3] == 255).all() and (final[preview["rows"] :, :, 3] == 0).all()
    assert final is not None
    image = np.asarray(Image.open(io.BytesIO(api.image(job_id))))
    assert (final[:, :, 0] == image).all()


def test_an_event_id_that_is_none_is_refused(api: Api) -> None:
    job_id = api.client.post("/v1/samples", json={"model": "ink"}).json()["id"]
    for options in ({"headers": {"Last-Event-ID": "x"}}, {"params": {"after": "x"}}):
        answer = api.client.get(f"/v1/jobs/{job_id}/events", **options)  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "invalid_header")
