"""What a score says of every class, and the room that is set aside for it."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.bundle_config import read_config
from models.conditioning import ByClass
from tests.services import write_tiny_bundle
from worker.attempt import Attempt
from worker.leases import Leases, SampleResult, Update
from worker.loaded_model import LoadedModels
from worker.protocol import JobRequest
from worker.records import Records, reserved_bytes
from worker.score_question import LevelsQuestion
from worker.score_run import PIECE_S, ScoreRun

NUM_CLASSES = 60
RECEIPT = "-" * 600


def test_a_score_of_every_class_takes_no_more_room_than_was_set_aside(
    records: Records, leases: Leases, tmp_path: Path
) -> None:
    """All that Valkey holds counts, its own overhead too."""
    write_tiny_bundle(tmp_path, "tiny", num_classes=NUM_CLASSES)
    config = read_config(tmp_path / "tiny")
    assert isinstance(config.conditioning, ByClass)
    names = config.conditioning.names
    request = JobRequest("score", "tiny", "0" * 64, 8, 8, 1, 2, n=8, condition={"each": True})
    uploads = [bytes(64)] * 8
    job, _ = records.create(request, uploads, classes=names)
    claim = leases.claim(job.id, "w", "t", "p")
    assert claim is not None
    question = LevelsQuestion(request, config, np.eye(NUM_CLASSES, dtype=np.float32))
    random = np.random.default_rng(0)
    for k in range(request.n):
        maps = -random.random((NUM_CLASSES, 8, 8, 1), np.float32)
        result, _ = question.answer(maps)
        told = SampleResult(k, json.dumps({"sample": k, **result, "receipt": RECEIPT}))
        leases.flush([Update(job.id, claim.attempt, results=[told])])
    keys: list[bytes] = records.client.keys(f"*{job.id}*")  # type: ignore[assignment]
    taken = sum(records.client.memory_usage(key, samples=0) or 0 for key in keys)
    assert records.counts()["bytes"] == reserved_bytes(request, uploads, None, names)
    assert 0.5 < taken / reserved_bytes(request, uploads, None, names) < 1


def test_pieces_are_of_even_size(records: Records, leases: Leases, tmp_path: Path) -> None:
    sha256 = write_tiny_bundle(tmp_path, "tiny")
    job, _ = records.create(JobRequest("score", "tiny", sha256, 8, 8, 1, 2, n=25), [bytes(64)] * 25)
    claim = leases.claim(job.id, "w", "t", "p")
    assert claim is not None
    with LoadedModels(1 << 30, 4, lambda: False).use(tmp_path / "tiny", "tiny", sha256) as loaded:
        loaded.seconds_per_scored_pixel = PIECE_S / (8 * 8 * 12.5)  # twelve images a piece at most
        run = ScoreRun(Attempt(claim, lambda: None), loaded)
        assert [len(run.take_piece()) for _ in range(4)] == [9, 8, 8, 0]


def test_a_score_that_is_no_number_fails_the_job(
    records: Records, leases: Leases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JSON knows no NaN: neither its events nor the job could be read."""
    sha256 = write_tiny_bundle(tmp_path, "tiny")
    job, _ = records.create(JobRequest("score", "tiny", sha256, 8, 8, 1, 2), [bytes(64)])
    claim = leases.claim(job.id, "w", "t", "p")
    assert claim is not None
    with LoadedModels(1 << 30, 4, lambda: False).use(tmp_path / "tiny", "tiny", sha256) as loaded:
        monkeypatch.setattr(type(loaded.model), "log_prob_map", lambda model, x, context: x * torch.nan)
        run = ScoreRun(Attempt(claim, lambda: None), loaded)
        run.score(run.take_piece())
    update = run.attempt.pending(renew=True)
    assert update.next_state == "failed" and not update.results
    assert "outgrew float32" in update.data
