"""Random histories of one job, held against a simple model of its life."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from tests.services import Valkey
from tests.worker.events import read_events
from worker.leases import MAX_FRUITLESS_ATTEMPTS, Leases, SampleResult, Update
from worker.protocol import STATES, TERMINAL_STATES, JobRequest, State
from worker.records import Limits, Records

HEIGHT, WIDTH, SAMPLES = 3, 2, 2
REQUEST = JobRequest("sample", "tiny", "0" * 64, HEIGHT, WIDTH, 1, 256, n=SAMPLES)
PROFILES = ("one", "other")

sample = st.integers(0, SAMPLES - 1)
is_stale = st.booleans()


@dataclass
class Life:
    """What the job must look like."""

    state: State = "queued"
    attempt: int = 0
    fruitless: int = 0
    profile: str = ""
    token: str = ""
    lease_ended: bool = False
    cancel: bool = False
    rows: list[int] = field(default_factory=lambda: [0] * SAMPLES)
    results: set[int] = field(default_factory=set)
    terminal_events: int = 0

    def end(self, state: State) -> None:
        self.state = state
        self.terminal_events += 1

    def leave_running(self) -> None:
        if self.cancel:
            self.end("canceled")
        else:
            self.state = "queued"

    def begin(self, token: str, profile: str) -> None:
        if self.profile not in ("", profile):
            self.rows = [rows if k in self.results else 0 for k, rows in enumerate(self.rows)]
        self.state, self.token, self.profile, self.lease_ended = "running", token, profile, False
        self.attempt += 1


class JobMachine(RuleBasedStateMachine):
    records: Records
    leases: Leases

    def __init__(self) -> None:
        super().__init__()
        self.records.client.flushall()
        job, _ = self.records.create(REQUEST, [b"upload"])
        self.id, self.life, self.tokens = job.id, Life(), 0

    @rule(profile=st.sampled_from(PROFILES))
    def claim(self, profile: str) -> None:
        self.tokens += 1
        token, life = f"token {self.tokens}", self.life
        claim = self.leases.claim(self.id, "worker", token, profile)
        free = life.state == "queued" or (life.state == "running" and life.lease_ended)
        if not free:
            assert claim is None
            return
        if life.cancel:
            life.end("canceled")
        else:
            life.fruitless += 1
            if life.fruitless > MAX_FRUITLESS_ATTEMPTS:
                life.end("failed")
        if life.state in TERMINAL_STATES:
            assert claim is None
            return
        life.begin(token, profile)
        assert claim is not None and claim.attempt == life.attempt and claim.finished == life.results
        assert claim.canvases == [self.canvas(k) for k in range(SAMPLES)]

    @precondition(lambda self: self.life.state == "running")
    @rule()
    def repeat_the_claim(self) -> None:
        claim = self.leases.claim(self.id, "worker", self.life.token, self.life.profile)
        assert claim is not None and claim.attempt == self.life.attempt

    @precondition(lambda self: self.life.attempt > 0)
    @rule(k=sample, is_stale=is_stale, renew=st.booleans(), repeats=st.booleans())
    def flush_a_row(self, k: int, is_stale: bool, renew: bool, repeats: bool) -> None:
        row = max(0, self.life.rows[k] - 1) if repeats else self.life.rows[k]
        if row == HEIGHT:
            return
        update = self.update(is_stale, rows=[(k, row, levels(k, row))], renew=renew)
        if self.flush(update):
            if row == self.life.rows[k]:
                self.life.rows[k] += 1
                self.life.fruitless = 0
            self.life.lease_ended &= not renew

    @precondition(lambda self: any(rows == HEIGHT for rows in self.life.rows))
    @rule(is_stale=is_stale)
    def flush_a_result(self, is_stale: bool) -> None:
        k = self.life.rows.index(HEIGHT)
        update = self.update(is_stale, results=[SampleResult(k, json.dumps({"sample": k}))])
        if self.flush(update) and k not in self.life.results:
            self.life.results.add(k)
            self.life.fruitless = 0

    @precondition(lambda self: self.life.attempt > 0)
    @rule(is_stale=is_stale, state=st.sampled_from(["succeeded", "failed", "canceled"]))
    def finish(self, is_stale: bool, state: State) -> None:
        if self.flush(self.update(is_stale, next_state=state)):
            self.life.end(state)

    @precondition(lambda self: self.life.attempt > 0)
    @rule(is_stale=is_stale, twice=st.booleans())
    def requeue(self, is_stale: bool, twice: bool) -> None:
        update = self.update(is_stale, next_state="queued")
        if self.flush(update):
            self.life.fruitless = max(0, self.life.fruitless - 1)
            self.life.leave_running()
            if twice:  # its reply was lost
                assert self.leases.flush([update])[0].status == "kept"

    @rule()
    def cancel(self) -> None:
        self.records.cancel(self.id)
        if self.life.state == "queued":
            self.life.end("canceled")
        if self.life.state not in TERMINAL_STATES or self.life.state == "canceled":
            self.life.cancel = True

    @precondition(lambda self: self.life.state == "running")
    @rule()
    def let_the_lease_end(self) -> None:
        self.records.client.zadd("scanline:leases", {self.id: 0}, xx=True)
        self.life.lease_ended = True

    @rule()
    def reap(self) -> None:
        self.records.client.delete("scanline:reaper")
        found = self.leases.reap(60)
        is_free = self.life.state == "running" and self.life.lease_ended
        assert found == (int(is_free), 0)
        if is_free:
            self.life.leave_running()

    @invariant()
    def the_record_tells_the_models_story(self) -> None:
        job, life = self.records.get(self.id), self.life
        assert (job.state, job.attempt) == (life.state, life.attempt)
        assert list(job.progress.rows) == life.rows and job.progress.done == sum(life.rows) * WIDTH
        assert {result["sample"] for result in job.samples} == life.results
        assert [self.records.canvas(self.id, k) for k in range(SAMPLES)] == [self.canvas(k) for k in range(SAMPLES)]

    @invariant()
    def it_stands_in_the_indexes_of_its_state_alone(self) -> None:
        client, me = self.records.client, self.id.encode()
        for state in STATES:
            assert client.zrange(f"scanline:state:{state}", 0, -1) == ([me] if state == self.life.state else [])
        assert client.zrange("scanline:queue:tiny", 0, -1) == ([me] if self.life.state == "queued" else [])
        assert client.zrange("scanline:leases", 0, -1) == ([me] if self.life.state == "running" else [])

    @invariant()
    def exactly_one_terminal_event_comes_last(self) -> None:
        kinds = [kind for kind, _ in read_events(self.records, self.id)]
        ends = [kind for kind in kinds if kind in TERMINAL_STATES]
        assert ends == ([self.life.state] if self.life.state in TERMINAL_STATES else [])
        assert len(ends) == self.life.terminal_events and (not ends or kinds[-1] == ends[0])

    def canvas(self, k: int) -> bytes:
        return b"".join(levels(k, row) for row in range(self.life.rows[k]))

    def update(self, is_stale: bool, **fields: object) -> Update:
        return Update(self.id, self.life.attempt - is_stale, **fields)  # type: ignore[arg-type]

    def flush(self, update: Update) -> bool:
        """Send it; whether the store has taken it, which it must exactly when the attempt is the running one."""
        outcome = self.leases.flush([update])[0]
        taken = self.life.state == "running" and update.attempt == self.life.attempt
        if taken:
            assert outcome.status == "kept" and outcome.cancel == self.life.cancel
        return taken


def levels(k: int, row: int) -> bytes:
    return bytes([10 * k + row] * WIDTH)


@pytest.fixture
def machine(valkey: Valkey) -> Iterator[type[JobMachine]]:
    client = valkey.client
    JobMachine.records, JobMachine.leases = Records(client, Limits()), Leases(client, Limits())
    yield JobMachine
    client.close()


def test_no_history_of_a_job_breaks_its_rules(machine: type[JobMachine]) -> None:
    checks = [HealthCheck.too_slow]
    run_state_machine_as_test(
        machine,
        settings=settings(max_examples=80, stateful_step_count=30, deadline=None, suppress_health_check=checks),
    )
