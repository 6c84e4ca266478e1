import json
import time
from dataclasses import replace

import pytest

from tests.services import Valkey
from tests.worker.events import read_events
from worker.attempt import Attempt
from worker.leases import Leases, SampleResult, Update
from worker.protocol import Card, JobRequest, WorkerReport
from worker.records import (
    ExpiredJob,
    IdempotencyMismatch,
    Limits,
    QueueFull,
    Records,
    StoreFull,
    UnknownJob,
    reserved_bytes,
)
from worker.store import PREFIX


def test_a_new_job_is_queued_with_everything_it_needs(records: Records, leases: Leases, request_: JobRequest) -> None:
    job, created = records.create(
        replace(request_, kind="completion", has_mask=True), [b"image 0", b"image 1"], b"\1\0"
    )
    assert created
    assert (job.state, job.attempt, job.queue_position, job.worker) == ("queued", 0, 0, None)
    assert job.progress.done == 0 and job.progress.total == 24 and job.progress.rows == (0, 0)
    assert job.expires_at - job.created_at == 86400
    claim = leases.claim(job.id, "w", "t", "p")
    assert claim is not None and claim.uploads == [b"image 0", b"image 1"] and claim.mask == b"\1\0"
    assert read_events(records, job.id)[0] == ("queued", {"position": 0})


def test_the_same_key_and_request_give_the_same_job(records: Records, request_: JobRequest) -> None:
    first, created = records.create(request_, [], None, ("key", "print"))
    second, created_again = records.create(request_, [], None, ("key", "print"))
    assert created and not created_again and first == second
    with pytest.raises(IdempotencyMismatch):
        records.create(request_, [], None, ("key", "other print"))


def test_a_deleted_job_frees_its_key(records: Records, request_: JobRequest) -> None:
    first, _ = records.create(request_, [], None, ("key", "print"))
    records.delete(first.id)
    second, created = records.create(request_, [], None, ("key", "other print"))
    assert created and second.id != first.id


def test_a_full_queue_refuses(valkey: Valkey, request_: JobRequest) -> None:
    records = Records(valkey.client, Limits(max_queue=2))
    jobs = [records.create(request_, [])[0] for _ in range(2)]
    with pytest.raises(QueueFull):
        records.create(request_, [])
    records.cancel(jobs[0].id)
    assert records.create(request_, [])[1]


def test_a_full_store_refuses_until_bytes_are_given_back(valkey: Valkey, request_: JobRequest) -> None:
    records = Records(valkey.client, Limits(max_bytes=20_000))
    job, _ = records.create(request_, [bytes(9_000)])
    with pytest.raises(StoreFull):
        records.create(request_, [bytes(9_000)])
    records.delete(job.id)
    assert records.counts()["bytes"] == 0
    assert records.create(request_, [bytes(9_000)])[1]


def test_jobs_are_listed_newest_first_in_pages(records: Records, request_: JobRequest) -> None:
    ids = [records.create(request_, [])[0].id for _ in range(5)]
    records.cancel(ids[3])
    page, cursor = records.list_jobs(limit=2)
    rest, end = records.list_jobs(limit=3, cursor=cursor)
    assert [job.id for job in page + rest] == ids[::-1] and end is None
    assert [job.id for job in records.list_jobs("canceled")[0]] == [ids[3]]
    assert [job.queue_position for job in records.list_jobs("queued")[0]] == [3, 2, 1, 0]


def test_a_list_reads_nothing_of_single_samples(records: Records, leases: Leases, request_: JobRequest) -> None:
    job, _ = records.create(request_, [])
    claim = leases.claim(job.id, "w", "t", "p")
    assert claim is not None
    leases.flush([Update(job.id, claim.attempt, [(0, 0, b"abcd")], results=[SampleResult(0, '{"sample": 0}')])])
    (listed,), _ = records.list_jobs()
    whole = records.get(job.id)
    assert (whole.samples, whole.progress.rows) == ([{"sample": 0}], (1, 0))
    assert listed == replace(whole, samples=[], progress=replace(whole.progress, rows=(0, 0)))


def test_a_queued_job_is_canceled_at_once_and_only_once(records: Records, request_: JobRequest) -> None:
    job, _ = records.create(request_, [])
    ended = records.cancel(job.id)
    assert ended.state == "canceled" and ended.finished_at is not None and ended.cancel_requested
    assert records.cancel(job.id) == ended
    assert [kind for kind, _ in read_events(records, job.id)] == ["queued", "canceled"]


def test_a_deleted_job_leaves_nothing_but_a_tombstone(records: Records, request_: JobRequest) -> None:
    job, _ = records.create(request_, [b"upload"], b"mask", ("key", "print"))
    records.delete(job.id)
    records.delete(job.id)
    for look in (records.get, records.cancel):
        with pytest.raises(ExpiredJob):
            look(job.id)
    assert [kind for kind, _ in read_events(records, job.id)] == ["canceled"]  # for whoever is reading
    assert 0 < records.client.pttl(records.events_key(job.id)) <= 10_000
    left = {key.decode() for key in records.client.keys(f"*{job.id}*")}  # type: ignore[union-attr]
    assert left == {f"scanline:tomb:{job.id}", records.events_key(job.id)}


@pytest.mark.parametrize("call", ["get", "cancel", "delete"])
def test_a_job_that_never_was_is_unknown(records: Records, call: str) -> None:
    with pytest.raises(UnknownJob):
        getattr(records, call)("nothing")


def test_the_freshest_admitted_card_of_live_workers_is_published(records: Records, leases: Leases) -> None:
    admitted, refused = Card("m", "1" * 64, "admitted"), Card("m", "2" * 64, "refused", reason="damaged")
    other = replace(admitted, pixels_per_second=5.0)
    leases.publish(WorkerReport("a", 0, 10, "1", (admitted,)), 60)
    leases.publish(WorkerReport("b", 0, 20, "1", (refused,)), 60)
    assert records.published() == [admitted]
    leases.publish(WorkerReport("c", 0, 15, "1", (other,)), 60)
    assert records.published() == [other]
    leases.withdraw("c")
    leases.withdraw("a")
    assert records.published() == [refused]


def test_a_model_is_drawn_in_the_precisions_of_all_its_workers(records: Records, leases: Leases) -> None:
    both, one = Card("a", "1", "admitted", precisions=["float32", "bfloat16"]), Card("a", "1", "admitted")
    other_weights = Card("a", "2", "admitted", precisions=["bfloat16"])
    leases.publish(WorkerReport("w1", 0.0, 1.0, "0", (both,)), 60)
    leases.publish(WorkerReport("w2", 0.0, 2.0, "0", (one,)), 60)
    assert records.published() == [both]
    leases.publish(WorkerReport("w1", 0.0, 1.0, "0", (other_weights,)), 60)
    assert records.published() == [one]


def test_a_worker_that_falls_silent_is_forgotten(records: Records, leases: Leases) -> None:
    leases.publish(WorkerReport("a", 0, 0, "1", ()), 0.02)
    assert [report.worker for report in records.workers()] == ["a"]
    time.sleep(0.03)
    assert records.workers() == []


def test_a_report_of_another_version_hides_nobody_elses(records: Records, leases: Leases) -> None:
    leases.publish(WorkerReport("old", 0, 1, "1", ()), 60)
    text = records.client.get(f"{PREFIX}worker:old")
    records.client.set(f"{PREFIX}worker:old", text.replace(b'"started_at"', b'"began_at"'))
    leases.publish(WorkerReport("new", 0, 1, "1", (Card("m", "1", "admitted"),)), 60)
    assert [report.worker for report in records.workers()] == ["new"]
    assert [card.id for card in records.published()] == ["m"]


def test_counts_follow_the_jobs(records: Records, leases: Leases, request_: JobRequest) -> None:
    first, _ = records.create(request_, [])
    records.create(replace(request_, model="other"), [])
    leases.claim(first.id, "w", "t", "p")
    counts = records.counts()
    assert counts["jobs"] == {"queued": 1, "running": 1, "succeeded": 0, "failed": 0, "canceled": 0}
    assert counts["queued"] == {"other": 1, "tiny": 0}
    assert counts["bytes"] > 0


@pytest.mark.parametrize(("height", "width"), [(512, 1), (28, 28)])
def test_a_drawn_job_takes_no_more_room_than_was_set_aside(
    records: Records, leases: Leases, request_: JobRequest, height: int, width: int
) -> None:
    """All that Valkey holds counts, its own overhead too; rows are written one by one, as of a slow model."""
    request = replace(request_, height=height, width=width, num_levels=256)
    job, _ = records.create(request, [])
    claim = leases.claim(job.id, "w", "t", "p")
    assert claim is not None
    attempt = Attempt(claim, lambda: None)
    for row in range(height):
        for k in range(request.n):
            attempt.add_row(k, row, bytes(width))
        update = attempt.pending(renew=True)
        attempt.confirm(update, leases.flush([update])[0])
    told = json.dumps({"sample": 0, "receipt": "-" * 600})
    results = [SampleResult(k, told) for k in range(request.n)]
    leases.flush([Update(job.id, claim.attempt, results=results, next_state="succeeded")])
    keys: list[bytes] = records.client.keys(f"*{job.id}*")  # type: ignore[assignment]
    taken = sum(records.client.memory_usage(key, samples=0) or 0 for key in keys)
    assert 0.3 < taken / reserved_bytes(request, [], None) < 1
