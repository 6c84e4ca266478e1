import json
import time
from dataclasses import replace

import pytest
from redis import Redis
from redis.exceptions import RedisError

from tests.services import Valkey
from tests.worker.events import read_events
from worker.leases import Claim, Leases, SampleResult, Sweep, Update
from worker.protocol import JobRequest
from worker.records import Limits, Records


def test_a_claim_begins_an_attempt_and_keeps_others_out(records: Records, leases: Leases, request_: JobRequest) -> None:
    claim = _claimed(records, leases, request_)
    assert claim.attempt == 1
    assert leases.claim(claim.job_id, "other", "other token", "p") is None
    job = records.get(claim.job_id)
    assert (job.state, job.worker, job.queue_position) == ("running", "w", None)


def test_a_claim_repeated_after_a_lost_reply_is_the_same(
    records: Records, leases: Leases, request_: JobRequest
) -> None:
    claim = _claimed(records, leases, request_)
    assert leases.claim(claim.job_id, "w", "t", "p") == claim


def test_jobs_that_have_ended_or_never_were_cannot_be_claimed(
    records: Records, leases: Leases, request_: JobRequest
) -> None:
    job, _ = records.create(request_, [])
    records.cancel(job.id)
    assert leases.claim(job.id, "w", "t", "p") is None
    assert leases.claim("nothing", "w", "t", "p") is None


def test_rows_are_appended_once_however_often_they_are_sent(
    records: Records, leases: Leases, request_: JobRequest
) -> None:
    claim = _claimed(records, leases, request_)
    update = _update(claim, rows=[(0, 0, b"abcd"), (1, 0, b"efgh")])
    longer = replace(update, rows=[*update.rows, (0, 1, b"ijkl")])
    for sent in (update, update, longer):
        assert leases.flush([sent])[0].status == "kept"
    assert records.canvas(claim.job_id, 0) == b"abcdijkl" and records.canvas(claim.job_id, 1) == b"efgh"
    job = records.get(claim.job_id)
    assert (job.progress.done, job.progress.rows) == (12, (2, 1))
    progress = [data["done"] for kind, data in read_events(records, claim.job_id) if kind == "progress"]
    assert progress == [8, 12]


def test_a_row_after_a_gap_loses_the_job(records: Records, leases: Leases, request_: JobRequest) -> None:
    """The server came back without its last writes: go on from what it has."""
    claim = _claimed(records, leases, request_)
    assert leases.flush([_update(claim, rows=[(0, 1, b"abcd")])])[0].status == "lost"
    assert records.canvas(claim.job_id, 0) == b""


def test_rows_before_a_gap_count_as_done(records: Records, leases: Leases, request_: JobRequest) -> None:
    claim = _claimed(records, leases, request_)
    assert leases.flush([_update(claim, rows=[(0, 0, b"abcd"), (1, 1, b"efgh")])])[0].status == "lost"
    progress = records.get(claim.job_id).progress
    assert (progress.rows, progress.done) == ((1, 0), 4)


def test_a_later_sweep_takes_the_place_of_what_is_saved(records: Records, leases: Leases, request_: JobRequest) -> None:
    request = replace(request_, kind="completion", sweeps=3)
    claim = _claimed(records, leases, request)
    assert claim.chains == (None, None)
    start, third = Sweep(1, 3, b"abcdefghijkl", '{"trace":[1]}'), Sweep(1, 9, b"ABCDEFGHIJKL", '{"trace":[1,2,3]}')
    for sweep in (start, third, start, third):  # one may be skipped, and a retry comes late
        assert leases.flush([_update(claim, sweeps=[sweep])])[0].status == "kept"
    job = records.get(claim.job_id)
    assert (job.progress.done, job.progress.total, job.progress.rows) == (9 * 4, 2 * 4 * 12, (0, 3))
    assert records.canvas(claim.job_id, 1) == b"ABCDEFGHIJKL"
    again = leases.claim(claim.job_id, "w", "t", "p")
    assert again is not None and again.chains == (None, b'{"trace":[1,2,3]}')
    assert leases.flush([replace(_update(claim, sweeps=[Sweep(1, 12, b"x", "{}")]), attempt=2)])[0].status == "lost"
    assert records.canvas(claim.job_id, 1) == b"ABCDEFGHIJKL"


def test_another_profile_begins_unfinished_chains_again(records: Records, leases: Leases, request_: JobRequest) -> None:
    claim = _claimed(records, leases, replace(request_, kind="completion", sweeps=1))
    done, begun = Sweep(0, 6, b"abcdefghijkl", "{}"), Sweep(1, 3, b"mnopqrstuvwx", "{}")
    leases.flush([_update(claim, sweeps=[done, begun], results=[SampleResult(0, '{"sample":0}')])])
    leases.flush([_update(claim, next_state="queued")])
    other = leases.claim(claim.job_id, "w", "t2", "another")
    assert other is not None and other.chains == (None, None) and other.canvases == [b"abcdefghijkl", b""]
    assert records.get(claim.job_id).progress.done == 6 * 4


def test_results_are_kept_once_with_their_map(records: Records, leases: Leases, request_: JobRequest) -> None:
    claim = _claimed(records, leases, replace(request_, kind="score", per_pixel=True))
    result = SampleResult(1, '{"sample":1,"log_prob":-3.5}', pixels=12, score_map=b"floats")
    for _ in range(2):
        leases.flush([_update(claim, results=[result])])
    job = records.get(claim.job_id)
    assert job.samples == [{"sample": 1, "log_prob": -3.5}] and job.progress.done == 12
    assert records.score_map(claim.job_id, 1) == b"floats" and records.score_map(claim.job_id, 0) is None
    assert [kind for kind, _ in read_events(records, claim.job_id)] == ["queued", "started", "progress", "sample"]


def test_an_end_is_final_and_its_event_the_last(records: Records, leases: Leases, request_: JobRequest) -> None:
    claim = _claimed(records, leases, request_)
    end = _update(claim, next_state="succeeded", data='{"unit":"nats"}')
    for _ in range(2):
        assert leases.flush([end])[0].status == "kept"
    records.cancel(claim.job_id)
    job = records.get(claim.job_id)
    assert (job.state, job.result, job.error) == ("succeeded", {"unit": "nats"}, None)
    assert [kind for kind, _ in read_events(records, claim.job_id)] == ["queued", "started", "succeeded"]


def test_a_failure_keeps_its_code(records: Records, leases: Leases, request_: JobRequest) -> None:
    claim = _claimed(records, leases, request_)
    error = {"code": "engine_failed", "message": "out of memory"}
    leases.flush([_update(claim, next_state="failed", data=json.dumps(error))])
    assert records.get(claim.job_id).error == error
    assert read_events(records, claim.job_id)[-1] == ("failed", error)


def test_a_zombie_cannot_write(records: Records, leases: Leases, request_: JobRequest) -> None:
    zombie = _claimed(records, leases, request_)
    _end_lease(leases.client, zombie.job_id)
    heir = leases.claim(zombie.job_id, "heir", "t2", "p")
    assert heir is not None and heir.attempt == 2
    for update in (
        _update(zombie, rows=[(0, 0, b"abcd")], renew=True),
        _update(zombie, next_state="succeeded"),
        _update(zombie, next_state="queued"),
    ):
        assert leases.flush([update])[0].status == "lost"
    job = records.get(zombie.job_id)
    assert (job.state, job.worker, job.progress.done) == ("running", "heir", 0)


def test_one_lost_job_does_not_disturb_the_others_of_a_flush(
    records: Records, leases: Leases, request_: JobRequest
) -> None:
    lost, kept = _claimed(records, leases, request_), _claimed(records, leases, request_)
    records.delete(lost.job_id)
    outcomes = leases.flush([_update(lost, rows=[(0, 0, b"abcd")]), _update(kept, rows=[(0, 0, b"abcd")])])
    assert [outcome.status for outcome in outcomes] == ["lost", "kept"]


def test_an_update_that_the_store_can_never_take_loses_its_job_only(
    records: Records, leases: Leases, request_: JobRequest
) -> None:
    spoilt, kept = _claimed(records, leases, request_), _claimed(records, leases, request_)
    records.client.hset(f"scanline:job:{spoilt.job_id}:canvas:0", "not", "a string")
    outcomes = leases.flush([_update(claim, rows=[(0, 0, b"abcd")]) for claim in (spoilt, kept)])
    assert [outcome.status for outcome in outcomes] == ["lost", "kept"]


def test_a_store_without_memory_is_asked_again(records: Records, leases: Leases, request_: JobRequest) -> None:
    claim = _claimed(records, leases, request_)
    update = _update(claim, rows=[(0, 0, b"abcd")])
    limit = records.client.config_get("maxmemory")["maxmemory"] or 0
    records.client.config_set("maxmemory", 1)
    try:
        with pytest.raises(RedisError):
            leases.flush([update])
    finally:
        records.client.config_set("maxmemory", limit)
    assert leases.flush([update])[0].status == "kept"


def test_a_flush_learns_of_a_cancel(records: Records, leases: Leases, request_: JobRequest) -> None:
    claim = _claimed(records, leases, request_)
    assert not leases.flush([_update(claim)])[0].cancel
    assert records.cancel(claim.job_id).state == "running"
    assert leases.flush([_update(claim)])[0].cancel
    leases.flush([_update(claim, next_state="canceled")])
    assert records.get(claim.job_id).state == "canceled"


def test_a_lease_is_renewed_only_when_the_update_says_so(valkey: Valkey, request_: JobRequest) -> None:
    limits = Limits(lease_s=0.05)
    records, leases = Records(valkey.client, limits), Leases(valkey.client, limits)
    alive, stuck = _claimed(records, leases, request_), _claimed(records, leases, request_)
    time.sleep(0.03)
    leases.flush([_update(alive, renew=True), _update(stuck)])
    time.sleep(0.03)
    assert leases.reap(0.001) == (1, 0)
    assert records.get(alive.job_id).state == "running" and records.get(stuck.job_id).state == "queued"


def test_a_resumed_job_gets_its_rows_back(records: Records, leases: Leases, request_: JobRequest) -> None:
    first = _claimed(records, leases, request_)
    done = SampleResult(1, '{"sample":1}')
    leases.flush([_update(first, rows=[(0, 0, b"abcd"), (1, 0, b"x" * 4)], results=[done])])
    leases.flush([_update(first, next_state="queued")])
    second = leases.claim(first.job_id, "heir", "t2", "p")
    assert second is not None and second.canvases == [b"abcd", b"xxxx"] and second.finished == {1}
    assert read_events(records, first.job_id)[-1] == ("resumed", {"attempt": 2, "from_pixel": 8})


def test_another_profile_begins_unfinished_samples_again(
    records: Records, leases: Leases, request_: JobRequest
) -> None:
    first = _claimed(records, leases, request_)
    rows = [(0, 0, b"abcd"), *((1, row, b"wxyz") for row in range(3))]
    leases.flush([_update(first, rows=rows, results=[SampleResult(1, '{"sample":1}')])])
    leases.flush([_update(first, next_state="queued")])
    second = leases.claim(first.job_id, "heir", "t2", "another profile")
    assert second is not None and second.canvases == [b"", b"wxyz" * 3]
    assert records.get(first.job_id).progress.rows == (0, 3)
    assert records.get(first.job_id).progress.done == 12


def test_three_attempts_without_a_row_are_enough(records: Records, leases: Leases, request_: JobRequest) -> None:
    job, _ = records.create(request_, [])
    for attempt in range(1, 4):
        claim = leases.claim(job.id, "w", f"t{attempt}", "p")
        assert claim is not None
        _end_lease(leases.client, job.id)
    assert leases.claim(job.id, "w", "t4", "p") is None
    ended = records.get(job.id)
    assert ended.state == "failed" and ended.error is not None and ended.error["code"] == "worker_lost"


def test_an_attempt_that_drew_a_row_or_stopped_in_order_does_not_count(
    records: Records, leases: Leases, request_: JobRequest
) -> None:
    job, _ = records.create(request_, [])
    for attempt in range(6):
        claim = leases.claim(job.id, "w", f"t{attempt}", "p")
        assert claim is not None
        if attempt % 2:
            leases.flush([_update(claim, next_state="queued")])
        else:
            leases.flush([_update(claim, rows=[(0, attempt // 2, b"abcd")])])
            _end_lease(leases.client, job.id)


def test_the_reaper_frees_lost_jobs_and_ends_those_that_were_canceled_meanwhile(
    records: Records, leases: Leases, request_: JobRequest
) -> None:
    lost, canceled, fine = (_claimed(records, leases, request_) for _ in range(3))
    records.cancel(canceled.job_id)
    for claim in (lost, canceled):
        _end_lease(leases.client, claim.job_id)
    assert leases.reap(0.01) == (2, 0)
    states = [records.get(claim.job_id).state for claim in (lost, canceled, fine)]
    assert states == ["queued", "canceled", "running"]


def test_one_worker_reaps_at_a_time(leases: Leases) -> None:
    assert leases.reap(60) == (0, 0)
    assert leases.reap(60) is None


def test_ended_jobs_are_dropped_after_their_lifetime(valkey: Valkey, request_: JobRequest) -> None:
    limits = Limits(lifetime_s=0.05)
    records, leases = Records(valkey.client, limits), Leases(valkey.client, limits)
    ended, _ = records.create(request_, [bytes(100)])
    records.cancel(ended.id)
    waiting, _ = records.create(request_, [])
    running = _claimed(records, leases, request_)
    time.sleep(0.06)
    assert leases.reap(0.001) == (0, 1)
    assert records.get(running.job_id).state == "running"
    forgotten = records.get(waiting.id)
    assert forgotten.error is not None and forgotten.error["code"] == "model_unavailable"
    assert not valkey.client.keys(f"scanline:job:{ended.id}:upload*")


def test_as_many_of_the_oldest_jobs_are_unsent_as_messages_are_missing(
    records: Records, leases: Leases, request_: JobRequest
) -> None:
    begun = _claimed(records, leases, request_)
    jobs = [records.create(request_, [])[0].id for _ in range(3)]
    leases.flush([_update(begun, next_state="queued")])
    other, _ = records.create(replace(request_, model="other"), [])
    depths = {"tiny": 2, "other": 0}
    assert leases.unsent(depths.__getitem__) == [
        (other.id, "other", False),
        (begun.job_id, "tiny", True),
        (jobs[0], "tiny", False),
    ]
    assert leases.unsent(lambda model: 4) == []


def _claimed(records: Records, leases: Leases, request: JobRequest) -> Claim:
    job, _ = records.create(request, [])
    claim = leases.claim(job.id, "w", "t", "p")
    assert claim is not None
    return claim


def _update(claim: Claim, **fields: object) -> Update:
    return Update(claim.job_id, claim.attempt, **fields)  # type: ignore[arg-type]


def _end_lease(client: "Redis", job_id: str) -> None:
    client.zadd("scanline:leases", {job_id: 0}, xx=True)
