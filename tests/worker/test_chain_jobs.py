"""Jobs of a chain of two stages in a real worker process: one canvas for both images, and a bound for their log p."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from engine.draw import draw_scales
from engine.request import Drawn
from models.bundle import load_bundle
from tests.services import Valkey, WorkerProcess, running_worker, wait_until, write_tiny_bundle
from tests.worker.jobs import Jobs
from worker.leases import Leases, Update
from worker.protocol import JobRequest
from worker.records import JobRecord, Limits

HEIGHT, WIDTH, COARSE_HEIGHT, COARSE_WIDTH = 9, 7, 5, 4
SLOW_LAYERS, SLOW_SIDE = 30, 32


@dataclass
class Service:
    valkey: Valkey
    folder: Path
    jobs: Jobs
    worker: WorkerProcess
    hashes: dict[str, str]

    def request(self, kind: str = "sample", model: str = "chain", **fields: object) -> JobRequest:
        size = {"height": HEIGHT, "width": WIDTH, "channels": 1, "num_levels": 4, "coarse_level": 1, "seed": 8}
        return JobRequest(kind=kind, model=model, sha256=self.hashes[model], **{**size, **fields})  # type: ignore[arg-type]

    def drawn(self, n: int, **options: object) -> list[Drawn]:
        stages = load_bundle(self.folder / "bundles" / "chain").model.stages()
        return draw_scales(stages, n, HEIGHT, WIDTH, 8, num_slots=4, **options)  # type: ignore[arg-type]


def canvas(drawn: Drawn) -> bytes:
    """The coarse image's rows, filled up with zeros, then the image's."""
    assert drawn.coarse is not None
    coarse = np.pad(drawn.coarse, ((0, 0), (0, WIDTH - COARSE_WIDTH), (0, 0)))
    return coarse.tobytes() + drawn.values.tobytes()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("chains")
    bundles, kind = folder / "bundles", {"architecture": "multi_scale", "num_levels": 4}
    hashes = {
        "chain": write_tiny_bundle(bundles, "chain", height=HEIGHT, width=WIDTH, **kind),  # type: ignore[arg-type]
        "slow": write_tiny_bundle(bundles, "slow", height=SLOW_SIDE, width=SLOW_SIDE, layers=SLOW_LAYERS, **kind),  # type: ignore[arg-type]
    }
    with Valkey() as valkey, running_worker(valkey, bundles, folder / "log") as worker:
        jobs = Jobs.on(valkey)
        for name in hashes:
            card = jobs.card(name)
            assert (card.status, card.coarse_level) == ("admitted", 1), card.reason
        yield Service(valkey, folder, jobs, worker, hashes)


def test_a_sample_is_what_the_chain_draws_and_its_log_prob_a_bound(service: Service) -> None:
    job = service.jobs.run(service.request(n=3, temperature=0.8))
    expected = service.drawn(3, temperature=0.8)
    assert service.jobs.images(job) == [canvas(drawn) for drawn in expected]
    assert [sample["log_prob"] for sample in job.samples] == [drawn.log_prob for drawn in expected]
    assert all((sample["kind"], sample["unit"]) == ("bound", "nats") for sample in job.samples)
    assert job.result == {"unit": "nats", "kind": "bound"}
    assert job.progress.done == job.progress.total == 3 * (COARSE_HEIGHT + HEIGHT) * WIDTH
    shown = [row for kind, data in service.jobs.events(job.id) if kind == "progress" for row in data["rows"]]
    rows = [(row["sample"], row["row"]) for row in shown]
    assert sorted(rows) == [(k, row) for k in range(3) for row in range(HEIGHT)]


@pytest.mark.parametrize("saved", [1, COARSE_HEIGHT - 1, COARSE_HEIGHT, COARSE_HEIGHT + 1, COARSE_HEIGHT + HEIGHT - 1])
@pytest.mark.parametrize("known_rows", [None, 3])
def test_rows_that_another_attempt_saved_in_either_stage_go_on_to_the_same_bytes(
    service: Service, saved: int, known_rows: int | None
) -> None:
    kind, uploads = ("completion", [b"\2" * (HEIGHT * WIDTH)]) if known_rows else ("sample", [])
    request = service.request(kind, known_rows=known_rows)
    undisturbed = service.jobs.run(request, uploads)
    (whole,) = service.jobs.images(undisturbed)
    job, _ = service.jobs.records.create(request, uploads)
    leases = Leases(service.valkey.client, Limits())
    claim = leases.claim(job.id, "another", "token", undisturbed.samples[0]["receipt"]["profile"])
    assert claim is not None
    rows = [(0, row, whole[row * WIDTH : (row + 1) * WIDTH]) for row in range(saved)]
    leases.flush([Update(job.id, claim.attempt, rows, next_state="queued")])
    service.jobs.send(job.id, "chain")
    resumed = service.jobs.finish(job.id)
    assert resumed.attempt == 2
    assert_same(service, resumed, undisturbed)


def test_a_masked_completion_of_a_chain_is_never_exact(service: Service) -> None:
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[:4] = True  # nothing that is known follows the hole
    job = service.jobs.run(service.request("completion", has_mask=True), [b"\3" * mask.size], mask.tobytes())
    rows = np.frombuffer(service.jobs.images(job)[0], np.uint8).reshape(-1, WIDTH)
    assert (rows[COARSE_HEIGHT : COARSE_HEIGHT + 4] == 3).all() and (rows[:2, :COARSE_WIDTH] == 3).all()
    assert job.samples[0]["conditioning"] == job.samples[0]["receipt"]["conditioning"] == "causal_only"
    assert job.samples[0]["log_prob"] < job.samples[0]["drawn_log_prob"] < 0
    by_rows = service.jobs.run(service.request("completion", known_rows=4), [b"\3" * mask.size])
    assert by_rows.samples[0]["drawn_log_prob"] == pytest.approx(job.samples[0]["drawn_log_prob"])


def test_a_score_counts_the_coarse_image_that_an_image_contains(service: Service) -> None:
    image = np.random.default_rng(0).integers(0, 4, (HEIGHT, WIDTH, 1)).astype(np.uint8)
    job = service.jobs.run(service.request("score", per_pixel=True), [image.tobytes()])
    assert job.samples[0]["kind"] == "bound" and job.progress.done == job.progress.total == HEIGHT * WIDTH
    assert job.samples[0]["percentile"] is not None


def test_a_killed_workers_chain_goes_on_to_the_same_bytes(service: Service) -> None:
    request = service.request(model="slow", height=SLOW_SIDE, width=SLOW_SIDE, n=400)
    undisturbed = service.jobs.run(request)
    job_id = service.jobs.submit(request)
    service.jobs.wait_for_rows(job_id, 1)
    service.worker.kill()
    half_made = service.jobs.records.get(job_id)
    assert half_made.state == "running" and 0 < half_made.progress.done < half_made.progress.total
    service.worker.start()
    wait_until(lambda: service.jobs.records.get(job_id).attempt == 2, 60, "another attempt")
    assert_same(service, service.jobs.finish(job_id, 60), undisturbed)


def assert_same(service: Service, job: JobRecord, undisturbed: JobRecord) -> None:
    assert service.jobs.images(job) == service.jobs.images(undisturbed)
    for sample, expected in zip(job.samples, undisturbed.samples, strict=True):
        assert sample["log_prob"] == expected["log_prob"]
        assert sample.get("drawn_log_prob") == pytest.approx(expected.get("drawn_log_prob"), abs=1e-9)
