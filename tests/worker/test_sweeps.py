"""Which rows of a chain are told, and when."""

import json
from dataclasses import replace

import pytest

from worker.attempt import Attempt
from worker.leases import Leases, SampleResult, Sweep, Update
from worker.protocol import JobRequest
from worker.records import Records, reserved_bytes
from worker.sweeps import TOLD_SWEEPS, Sweeps

REQUEST = JobRequest("completion", "tiny", "0" * 64, 2, 3, 1, 2, sweeps=4)


@pytest.fixture
def sweeps() -> Sweeps:
    return Sweeps(REQUEST)


def sweep(number: int, canvas: bytes, k: int = 0) -> Sweep:
    return Sweep(k, 2 * (number + 1), canvas, "{}")


def told(sweeps: Sweeps) -> list[tuple[int, int, bytes]]:
    """Of a flush that the store takes."""
    pending = sweeps.pending()
    rows = sweeps.rows(pending)
    sweeps.confirm(pending)
    return rows


def test_first_all_rows_are_told_then_those_that_changed(sweeps: Sweeps) -> None:
    sweeps.add(sweep(0, b"abcdef"))
    assert told(sweeps) == [(0, 0, b"abc"), (0, 1, b"def")]
    sweeps.add(sweep(1, b"abcdxf"))
    sweeps.add(sweep(0, b"uvwxyz", k=1))
    assert told(sweeps) == [(0, 1, b"dxf"), (1, 0, b"uvw"), (1, 1, b"xyz")]
    assert told(sweeps) == []


def test_the_last_of_several_sweeps_is_what_a_flush_takes(sweeps: Sweeps) -> None:
    sweeps.add(sweep(0, b"abcdef"))
    last = sweep(1, b"abcxyz")
    sweeps.add(last)
    assert sweeps.pending() == [last]


def test_a_sweep_that_comes_during_a_flush_waits_for_the_next(sweeps: Sweeps) -> None:
    sweeps.add(sweep(0, b"abcdef"))
    pending, later = sweeps.pending(), sweep(1, b"Abcdef")
    sweeps.add(later)
    sweeps.confirm(pending)
    assert sweeps.pending() == [later] and told(sweeps) == [(0, 0, b"Abc")]


def test_what_was_not_confirmed_is_told_again(sweeps: Sweeps) -> None:
    sweeps.add(sweep(0, b"abcdef"))
    first = sweeps.rows(sweeps.pending())
    assert told(sweeps) == first


def test_of_very_many_sweeps_some_are_told_and_the_last() -> None:
    many = 10 * TOLD_SWEEPS + 5
    sweeps = Sweeps(replace(REQUEST, sweeps=many))
    tales = 0
    for number in range(many + 1):
        sweeps.add(sweep(number, number.to_bytes(2, "big") + b"cdef"))
        rows = told(sweeps)
        tales += bool(rows)
    assert rows == [(0, 0, many.to_bytes(2, "big") + b"c")]
    assert TOLD_SWEEPS * 0.8 < tales <= TOLD_SWEEPS + 2


def test_a_finished_chain_keeps_only_its_image_and_its_result(records: Records, leases: Leases) -> None:
    job, _ = records.create(replace(REQUEST, n=2), [])
    leases.claim(job.id, "w", "t", "p")
    chains = [sweep(4, b"abcdef", 0), sweep(0, b"uvwxyz", 1)]
    for _ in range(2):  # a retry after a lost reply
        leases.flush([Update(job.id, 1, sweeps=chains, results=[SampleResult(0, '{"sample":0}')])])
    claim = leases.claim(job.id, "w", "t", "p")
    assert claim is not None and claim.chains == (None, b"{}") and claim.finished == {0}
    assert claim.canvases == [b"abcdef", b"uvwxyz"]


def test_sweeps_of_a_flush_each_take_no_more_room_than_was_set_aside(records: Records, leases: Leases) -> None:
    """Sweeps may be so slow that each is an event; all that Valkey holds counts, its own overhead too."""
    request = JobRequest("completion", "tiny", "0" * 64, 8, 8, 1, 2, sweeps=1000, has_mask=True)
    uploads, mask = [bytes(64)], b"\1" * 9 + b"\0" + b"\1" * 54
    job, _ = records.create(request, uploads, mask)
    claim = leases.claim(job.id, "w", "t", "p")
    assert claim is not None
    attempt = Attempt(claim, lambda: None)
    trace: list[float] = []
    for number in range(request.sweeps + 1):
        trace.append(-17 - 1 / (3 + number))
        canvas = bytes(9) + bytes([number % 2]) + bytes(54)
        attempt.add_sweep(Sweep(0, 8 * len(trace), canvas, json.dumps({"num_accepted": 7, "trace": trace})))
        if number == request.sweeps:
            attempt.add_result(SampleResult(0, json.dumps({"sample": 0, "trace": trace, "receipt": "-" * 600})))
        update = attempt.pending(renew=True)
        attempt.confirm(update, leases.flush([update])[0])
    keys: list[bytes] = records.client.keys(f"*{job.id}*")  # type: ignore[assignment]
    taken = sum(records.client.memory_usage(key, samples=0) or 0 for key in keys)
    assert 0.5 < taken / reserved_bytes(request, uploads, mask) < 1
