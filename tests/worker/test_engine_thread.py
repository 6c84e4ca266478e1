"""The engine's thread with a real store: what happens when an engine breaks, or work is taken back."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.request import Output
from tests.services import Valkey, write_tiny_bundle
from worker.attempt import Attempt
from worker.draw_run import DrawRun
from worker.engine_thread import EngineThread
from worker.leases import Leases
from worker.loaded_model import LoadedModel, LoadedModels
from worker.protocol import JobRequest
from worker.records import Limits, Records
from worker.score_run import ScoreRun
from worker.writer import Writer

SIDE = 12


class BreaksAfter(Engine):
    """An engine whose device fails in mid-image."""

    steps_left = 30

    def step(self) -> list[Output]:
        self.steps_left -= 1
        if self.steps_left < 0:
            raise RuntimeError("device lost")
        return super().step()


@dataclass
class Parts:
    records: Records
    leases: Leases
    models: LoadedModels
    engine: EngineThread
    writer: Writer
    directory: Path
    sha256: str

    def request(self, kind: str = "sample", n: int = 1) -> JobRequest:
        return JobRequest(kind, "tiny", self.sha256, SIDE, SIDE, 1, 2, n=n)  # type: ignore[arg-type]

    def begin(self, request: JobRequest, loaded: LoadedModel) -> Attempt:
        job, _ = self.records.create(request, [bytes(SIDE * SIDE)] * request.n)
        claim = self.leases.claim(job.id, "w", job.id, loaded.engine.profile)
        assert claim is not None
        attempt = self.writer.open(claim)
        self.engine.submit((ScoreRun if request.kind == "score" else DrawRun)(attempt, loaded))
        return attempt


@pytest.fixture
def parts(valkey: Valkey, tmp_path: Path) -> Iterator[Parts]:
    sha256 = write_tiny_bundle(tmp_path, "tiny", height=SIDE, width=SIDE)
    records, leases = Records(valkey.client, Limits()), Leases(valkey.client, Limits())
    models = LoadedModels(1 << 30, 4, lambda: False)
    engine = EngineThread(on_broken=models.discard)
    writer = Writer(leases, 0.02, engine.stop, lambda: True)
    engine.start()
    writer.start()
    yield Parts(records, leases, models, engine, writer, tmp_path / "tiny", sha256)
    engine.drain()
    writer.stop(5)


def test_a_broken_engine_fails_its_jobs_and_the_model_is_loaded_again(parts: Parts) -> None:
    with parts.models.use(parts.directory, "tiny", parts.sha256) as broken:
        broken.engine = BreaksAfter(broken.model.program(), 4)
        attempts = [parts.begin(parts.request(), broken) for _ in range(2)]
        for attempt in attempts:
            assert attempt.ending.result(10) == "ended"
            job = parts.records.get(attempt.claim.job_id)
            assert job.error == {"code": "engine_failed", "message": "the engine failed while drawing: device lost"}
        late = parts.begin(parts.request(), broken)
        assert late.ending.result(10) == "requeued"
    with parts.models.use(parts.directory, "tiny", parts.sha256) as fresh:
        assert fresh is not broken
        job_id = parts.begin(parts.request(), fresh).claim.job_id
        attempt = parts.begin(parts.request(), fresh)
        assert attempt.ending.result(10) == "ended"
        assert parts.records.get(job_id).state == "succeeded"


def test_scores_take_turns_with_drawing(parts: Parts) -> None:
    with parts.models.use(parts.directory, "tiny", parts.sha256) as loaded:
        draws = parts.begin(parts.request(n=4), loaded)
        scores = parts.begin(parts.request("score", n=64), loaded)
        for attempt in (draws, scores):
            assert attempt.ending.result(20) == "ended"
            assert parts.records.get(attempt.claim.job_id).state == "succeeded"


def test_a_drained_engine_gives_everything_back_and_takes_nothing(parts: Parts) -> None:
    with parts.models.use(parts.directory, "tiny", parts.sha256) as loaded:
        begun = [parts.begin(parts.request(n=8), loaded), parts.begin(parts.request("score", n=64), loaded)]
        parts.engine.drain()
        late = parts.begin(parts.request(), loaded)
        for attempt in [*begun, late]:
            assert attempt.ending.result(10) == "requeued"
            assert parts.records.get(attempt.claim.job_id).state == "queued"


def test_a_resumed_score_does_not_score_again(parts: Parts) -> None:
    with parts.models.use(parts.directory, "tiny", parts.sha256) as loaded:
        first = parts.begin(parts.request("score", n=200), loaded)
        parts.engine.drain()
        assert first.ending.result(10) == "requeued"
        claim = parts.leases.claim(first.claim.job_id, "w", "again", loaded.engine.profile)
        assert claim is not None
        run = ScoreRun(parts.writer.open(claim), loaded)
        while not run.attempt.has_ended:
            run.advance()
        assert run.attempt.ending.result(10) == "ended"
        job = parts.records.get(claim.job_id)
        assert len(job.samples) == 200 and job.progress.done == job.progress.total
