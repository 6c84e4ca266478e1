"""The engine's threads with a real store: who draws what, and what becomes of it when an engine breaks or all stops."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from engine.engine import Interpreter
from tests.engine.native import build_or_skip
from tests.services import SLOW_LAYERS, Valkey, wait_until, write_tiny_bundle
from tests.worker.engines import Breaks, Hangs, Watched
from worker.attempt import Attempt
from worker.engine_threads import EngineThreads
from worker.leases import Leases
from worker.loaded_model import LoadedModel, LoadedModels
from worker.protocol import JobRequest
from worker.records import Limits, Records
from worker.runs import run_of
from worker.score_run import ScoreRun
from worker.writer import Writer

SIDE, THREADS = 40, 2
# By interpreter, layers that make an image take a tenth of a second or more.
LAYERS: dict[Interpreter, int] = {"native": SLOW_LAYERS, "torch": 1}


@dataclass
class Parts:
    records: Records
    leases: Leases
    models: LoadedModels
    engine: EngineThreads
    writer: Writer
    directory: Path
    sha256: str

    def request(self, kind: str = "sample", n: int = 1) -> JobRequest:
        return JobRequest(kind, "tiny", self.sha256, SIDE, SIDE, 1, 2, n=n)  # type: ignore[arg-type]

    def begin(self, request: JobRequest, loaded: LoadedModel, mask: bytes | None = None) -> Attempt:
        job, _ = self.records.create(request, [bytes(SIDE * SIDE)] * request.n, mask)
        claim = self.leases.claim(job.id, "w", job.id, loaded.engine.profile)
        assert claim is not None
        attempt = self.writer.open(claim)
        self.engine.submit(run_of(attempt, loaded, loaded.engine))
        return attempt


@pytest.fixture(params=LAYERS)
def interpreter(request: pytest.FixtureRequest) -> Interpreter:
    if request.param == "native":
        build_or_skip()
    kind: Interpreter = request.param
    return kind


@pytest.fixture
def parts(valkey: Valkey, tmp_path: Path, interpreter: Interpreter) -> Iterator[Parts]:
    sha256 = write_tiny_bundle(tmp_path, "tiny", height=SIDE, width=SIDE, layers=LAYERS[interpreter])
    records, leases = Records(valkey.client, Limits()), Leases(valkey.client, Limits())
    models = LoadedModels(1 << 30, 4, lambda: False, interpreter=interpreter, threads=THREADS)
    engine = EngineThreads(THREADS, on_broken=models.discard)
    writer = Writer(leases, 0.02, engine.stop, lambda: True)
    engine.start()
    writer.start()
    yield Parts(records, leases, models, engine, writer, tmp_path / "tiny", sha256)
    engine.drain()
    writer.stop(5)


def test_a_broken_engine_fails_its_jobs_and_the_model_is_loaded_again(parts: Parts, interpreter: Interpreter) -> None:
    with parts.models.use(parts.directory, "tiny", parts.sha256) as broken:
        broken.engine = engine = Breaks(broken.model.program(), 4, interpreter=interpreter, num_threads=THREADS)
        attempts = [parts.begin(parts.request(n=32), broken) for _ in range(2)]
        engine.is_broken = True
        for attempt in attempts:
            assert attempt.ending.result(10) == "ended"
            job = parts.records.get(attempt.claim.job_id)
            assert job.error == {"code": "engine_failed", "message": "the engine failed while drawing: device lost"}
        late = parts.begin(parts.request(), broken)
        assert late.ending.result(10) == "requeued"
    with parts.models.use(parts.directory, "tiny", parts.sha256) as fresh:
        assert fresh is not broken
        attempt = parts.begin(parts.request(), fresh)
        assert attempt.ending.result(10) == "ended"
        assert parts.records.get(attempt.claim.job_id).state == "succeeded"


def test_the_images_of_a_job_are_spread_over_the_threads(parts: Parts, interpreter: Interpreter) -> None:
    with parts.models.use(parts.directory, "tiny", parts.sha256) as loaded:
        loaded.engine = engine = Watched(loaded.model.program(), 8, interpreter=interpreter, num_threads=THREADS)
        assert parts.begin(parts.request(n=8), loaded).ending.result(20) == "ended"
    assert max(engine.held) == (4 if interpreter == "native" else 8)
    assert sum(map(len, engine.drawn)) == 8


def test_two_models_with_one_image_each_take_two_threads(parts: Parts, interpreter: Interpreter) -> None:
    """What torch draws has the first thread to itself, so that the native one goes to the second."""
    directory = parts.directory.parent
    sha256 = write_tiny_bundle(directory, "other", height=SIDE, width=SIDE, layers=SLOW_LAYERS)
    models = LoadedModels(1 << 30, 4, lambda: False, threads=THREADS)
    use = models.use(directory / "other", "other", sha256)
    with parts.models.use(parts.directory, "tiny", parts.sha256) as one, use as other:
        one.engine = first = Watched(one.model.program(), 4, interpreter=interpreter, num_threads=THREADS)
        other.engine = second = Watched(other.model.program(), 4, num_threads=THREADS)
        attempts = [parts.begin(parts.request(), loaded) for loaded in (one, other)]
        assert [attempt.ending.result(20) for attempt in attempts] == ["ended", "ended"]
    threads = [thread for engine in (first, second) for thread, drawn in enumerate(engine.drawn) if drawn]
    assert sorted(threads) == [0, 1]


def test_a_thread_that_hangs_shows_although_the_others_go_on(parts: Parts, interpreter: Interpreter) -> None:
    with parts.models.use(parts.directory, "tiny", parts.sha256) as loaded:
        loaded.engine = engine = Hangs(loaded.model.program(), 4, interpreter=interpreter, num_threads=THREADS)
        drawing = parts.begin(parts.request(), loaded)
        wait_until(lambda: parts.engine.progress_age_s() > 0, what="a busy thread")
        assert parts.begin(parts.request("score", n=4), loaded).ending.result(20) == "ended"
        age = parts.engine.progress_age_s()
        wait_until(lambda: parts.engine.progress_age_s() > age, what="the age of its last sign of life")
        engine.may_go_on.set()
        assert drawing.ending.result(20) == "ended"
        wait_until(lambda: parts.engine.progress_age_s() == 0, what="the end of all turns")


def test_neither_a_cancel_nor_a_drain_waits_for_the_step_under_way(parts: Parts, interpreter: Interpreter) -> None:
    """Nor for a sweep, which of a slow model takes minutes, and of which alone something is saved."""
    mask = np.ones((SIDE, SIDE), np.bool_)
    mask[4:20, 4:20] = False
    with parts.models.use(parts.directory, "tiny", parts.sha256) as loaded:
        loaded.engine = engine = Hangs(loaded.model.program(), 4, interpreter=interpreter, num_threads=THREADS)
        swept = replace(parts.request("completion", n=2), has_mask=True, sweeps=1000)
        canceled, drained = (parts.begin(swept, loaded, mask.tobytes()) for _ in range(2))
        wait_until(lambda: parts.engine.progress_age_s() > 0.2, what="a step that takes long")
        parts.records.cancel(canceled.claim.job_id)
        assert canceled.ending.result(1) == "ended"
        parts.engine.drain()
        assert drained.ending.result(1) == "requeued"
        jobs = [parts.records.get(attempt.claim.job_id) for attempt in (canceled, drained)]
        assert [(job.state, job.progress.done) for job in jobs] == [("canceled", 0), ("queued", 0)]
        engine.may_go_on.set()
        wait_until(lambda: parts.engine.progress_age_s() == 0, what="the end of all turns")


def test_scores_take_turns_with_drawing(parts: Parts) -> None:
    with parts.models.use(parts.directory, "tiny", parts.sha256) as loaded:
        draws = parts.begin(parts.request(n=4), loaded)
        scores = parts.begin(parts.request("score", n=24), loaded)
        for attempt in (draws, scores):
            assert attempt.ending.result(20) == "ended"
            assert parts.records.get(attempt.claim.job_id).state == "succeeded"


def test_a_receipt_names_what_has_computed_the_result(parts: Parts, interpreter: Interpreter) -> None:
    """Images are drawn by the engine's interpreter; scores are always torch's parallel pass."""
    with parts.models.use(parts.directory, "tiny", parts.sha256) as loaded:
        attempts = [parts.begin(parts.request(kind), loaded) for kind in ("sample", "score")]
        assert [attempt.ending.result(20) for attempt in attempts] == ["ended", "ended"]
    jobs = [parts.records.get(attempt.claim.job_id) for attempt in attempts]
    receipts = [job.samples[0]["receipt"] for job in jobs]
    assert [receipt["engine"] for receipt in receipts] == [interpreter, "torch"]
    assert str(receipts[1]["profile"]).startswith("torch-") and str(receipts[1]["profile"]).endswith(" float32")


def test_a_drained_engine_gives_everything_back_and_takes_nothing(parts: Parts) -> None:
    with parts.models.use(parts.directory, "tiny", parts.sha256) as loaded:
        begun = [parts.begin(parts.request(n=32), loaded), parts.begin(parts.request("score", n=24), loaded)]
        parts.engine.drain()
        late = parts.begin(parts.request(), loaded)
        for attempt in [*begun, late]:
            assert attempt.ending.result(10) == "requeued"
            assert parts.records.get(attempt.claim.job_id).state == "queued"


def test_a_resumed_score_does_not_score_again(parts: Parts) -> None:
    with parts.models.use(parts.directory, "tiny", parts.sha256) as loaded:
        first = parts.begin(parts.request("score", n=24), loaded)
        parts.engine.drain()
        assert first.ending.result(10) == "requeued"
        claim = parts.leases.claim(first.claim.job_id, "w", "again", loaded.engine.profile)
        assert claim is not None
        run = ScoreRun(parts.writer.open(claim), loaded)
        while piece := run.take_piece():
            run.score(piece)
        assert run.attempt.ending.result(10) == "ended"
        job = parts.records.get(claim.job_id)
        assert len(job.samples) == 24 and job.progress.done == job.progress.total
