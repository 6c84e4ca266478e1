"""Jobs of densities in a real worker process: floats on canvases, bytes in uploads, a margin."""

import base64
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.draw import draw
from models.base import Model
from models.bundle import load_bundle
from tests.services import Valkey, running_worker, write_tiny_density
from tests.worker.jobs import Jobs
from worker.dequantise import dequantised
from worker.protocol import JobRequest
from worker.records import JobRecord

HEIGHT, WIDTH = 7, 9


@dataclass
class Service:
    valkey: Valkey
    folder: Path
    jobs: Jobs
    hashes: dict[str, str]

    def request(self, kind: str = "sample", model: str = "ride", **fields: object) -> JobRequest:
        size = {"height": HEIGHT, "width": WIDTH, "channels": 1, "num_levels": 0}
        return JobRequest(kind=kind, model=model, sha256=self.hashes[model], **{**size, **fields})  # type: ignore[arg-type]

    def canvases(self, job: JobRecord) -> list[np.ndarray]:
        shape = (job.request.canvas_height, job.request.canvas_width, 1)
        return [np.frombuffer(image, np.float32).reshape(shape) for image in self.jobs.images(job)]

    def model(self, name: str = "ride") -> Model:
        return load_bundle(self.folder / "bundles" / name).model


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("densities")
    bundles = folder / "bundles"
    hashes = {
        "ride": write_tiny_density(bundles, "ride"),
        "mcgsm": write_tiny_density(bundles, "mcgsm", architecture="mcgsm"),
        "wild": write_tiny_density(bundles, "wild", gain=1.3),
    }
    with Valkey() as valkey:
        yield Service(valkey, folder, Jobs.on(valkey), hashes)


@pytest.fixture(scope="module", autouse=True)
def worker(service: Service) -> Iterator[None]:
    with running_worker(service.valkey, service.folder / "bundles", service.folder / "log"):
        for name in service.hashes:
            assert service.jobs.card(name).status == "admitted", service.jobs.card(name).reason
        yield


def rate(log_prob: float, num_pixels: int) -> float:
    return log_prob / (num_pixels * math.log(2)) + 8


@pytest.mark.parametrize("name", ["ride", "mcgsm"])
def test_a_sample_is_the_floats_that_the_engine_draws(service: Service, name: str) -> None:
    job = service.jobs.run(service.request(model=name, n=3, seed=2**64 - 1))
    model = service.model(name)
    images, log_probs = draw(model.program(), 3, HEIGHT, WIDTH, 2**64 - 1, num_slots=4)
    assert service.jobs.images(job) == [image.tobytes() for image in images]
    for sample, log_prob in zip(job.samples, log_probs, strict=True):
        assert sample["density_bits_per_pixel"] == rate(log_prob, HEIGHT * WIDTH)
        assert (sample["kind"], sample["unit"]) == ("density", "bit/px of a density")
        assert not sample.keys() & {"log_prob", "bits_per_dim"}
        assert sample["receipt"]["dequantisation"] == "uniform"
    assert job.result == {"unit": "bit/px of a density", "kind": "density"}
    assert job.progress.done == job.progress.total == 3 * HEIGHT * WIDTH


def test_a_clipped_image_stays_within_its_limits_and_its_receipt_says_so(service: Service) -> None:
    ask = {"n": 2, "seed": 3, "height": 32, "width": 32}
    plain = service.jobs.run(service.request(**ask))
    job = service.jobs.run(service.request(**ask, clip=[10.0, 240.0]))
    drawn, free = (np.stack(service.canvases(other)) for other in (job, plain))
    (beyond,) = np.nonzero((free[0].ravel() < 10) | (free[0].ravel() > 240))
    assert beyond[0] > 32, "or else nothing is drawn before the first pixel that is clipped"
    assert drawn.min() == 10 and drawn.max() <= 240
    assert (drawn[0].ravel()[: beyond[0]] == free[0].ravel()[: beyond[0]]).all(), "up to there it is drawn as ever"
    with torch.no_grad():
        log_probs = service.model().log_prob(torch.from_numpy(drawn).permute(0, 3, 1, 2))
    for sample, log_prob in zip(job.samples, log_probs, strict=True):
        assert sample["density_bits_per_pixel"] == pytest.approx(rate(log_prob.item(), 32 * 32), abs=1e-3)
        assert sample["receipt"]["clip"] == [10.0, 240.0]
    assert "clip" not in plain.samples[0]["receipt"]


def test_pixels_that_outgrow_their_type_fail_the_job_unless_they_are_clipped(service: Service) -> None:
    ask = {"model": "wild", "height": 2, "width": 600}
    job = service.jobs.run(service.request(**ask))
    assert job.error is not None and "outgrew float32" in job.error["message"] and "`clip`" in job.error["message"]
    assert service.jobs.run(service.request(**ask, clip=[10.0, 240.0])).state == "succeeded"


@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 30), (30, 1), (7, 300)])
def test_any_size_is_drawn_and_scored(service: Service, height: int, width: int) -> None:
    job = service.jobs.run(service.request(height=height, width=width))
    assert np.isfinite(service.canvases(job)[0]).all() and service.canvases(job)[0].shape == (height, width, 1)
    image = np.random.default_rng(0).integers(0, 256, (height, width, 1)).astype(np.uint8)
    scored = service.jobs.run(service.request("score", height=height, width=width), [image.tobytes()])
    assert scored.state == "succeeded" and math.isfinite(scored.samples[0]["density_bits_per_pixel"])


def test_a_margin_is_drawn_and_cut_off_what_is_told(service: Service) -> None:
    job = service.jobs.run(service.request(seed=4, margin=3))
    (whole,) = service.canvases(job)
    plain = service.jobs.run(service.request(seed=4, height=HEIGHT + 3, width=WIDTH + 6))
    assert (whole == service.canvases(plain)[0]).all()
    assert job.progress.done == job.progress.total == (HEIGHT + 3) * (WIDTH + 6)
    assert job.samples[0]["receipt"]["margin"] == 3
    assert job.samples[0]["density_bits_per_pixel"] == plain.samples[0]["density_bits_per_pixel"]
    rows = {}
    for kind, data in service.jobs.events(job.id):
        for row in data["rows"] if kind == "progress" else []:
            rows[row["row"]] = np.frombuffer(base64.b64decode(row["data"]), np.float32)
    assert sorted(rows) == list(range(HEIGHT))
    assert (np.stack([rows[row] for row in range(HEIGHT)]) == whole[3:, 3:-3, 0]).all()


def test_a_score_is_the_mean_over_draws_of_the_noise(service: Service) -> None:
    images = np.random.default_rng(0).integers(100, 156, (2, HEIGHT, WIDTH, 1)).astype(np.uint8)
    request = service.request("score", n=2, seed=9, draws=5, per_pixel=True)
    job = service.jobs.run(request, [image.tobytes() for image in images])
    model = service.model()
    for k, (image, sample) in enumerate(zip(images, job.samples, strict=True)):
        noisy = np.stack([dequantised(image, 9, draw) for draw in range(5)])
        with torch.no_grad():
            maps = model.log_prob_map(torch.from_numpy(noisy).permute(0, 3, 1, 2)).numpy()
        rates = [rate(float(log_prob), HEIGHT * WIDTH) for log_prob in maps.sum((1, 2, 3), dtype=np.float64)]
        assert sample["density_bits_per_pixel"] == pytest.approx(np.mean(rates), abs=1e-5)
        assert sample["standard_error"] == pytest.approx(np.std(rates, ddof=1) / math.sqrt(5), abs=1e-5)
        bound = sample["code_length"]
        assert bound["bits_per_dim"] == pytest.approx(8 - np.mean(rates), abs=1e-5)
        assert (bound["kind"], bound["unit"], sample["kind"]) == ("bound", "bits/dim", "density")
        assert 0 <= sample["percentile"] <= 100 and sample["draws"] == 5
        assert (sample["receipt"]["seed"], sample["receipt"]["draws"]) == (9, 5)
        kept = service.jobs.records.score_map(job.id, k)
        assert kept is not None
        expected = (maps[:, 0] / math.log(2) + 8).mean(0)
        np.testing.assert_allclose(np.frombuffer(kept, "<f4").reshape(HEIGHT, WIDTH), expected, atol=1e-4)
    again = service.jobs.run(service.request("score", seed=9, draws=5), [images[1].tobytes()])
    expected = job.samples[1]["density_bits_per_pixel"]
    assert again.samples[0]["density_bits_per_pixel"] == pytest.approx(expected, abs=1e-6)
    single = service.jobs.run(service.request("score", seed=9), [images[1].tobytes()])
    assert single.samples[0]["standard_error"] is None


@pytest.mark.parametrize("has_mask", [False, True])
def test_a_completion_keeps_the_bytes_that_were_given(service: Service, has_mask: bool) -> None:
    image = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 1)).astype(np.uint8)
    mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    mask[:3] = True
    fields = {"has_mask": True} if has_mask else {"known_rows": 3}
    request = service.request("completion", n=2, seed=6, **fields)
    job = service.jobs.run(request, [image.tobytes()], mask.tobytes() if has_mask else None)
    assert job.state == "succeeded", job.error
    model = service.model()
    for k, (drawn, sample) in enumerate(zip(service.canvases(job), job.samples, strict=True)):
        assert (drawn[:3] == dequantised(image, 6, k)[:3]).all()
        assert (np.floor(drawn[:3]) == image[:3]).all()
        with torch.no_grad():
            log_probs = model.log_prob_map(torch.from_numpy(drawn.copy()).permute(2, 0, 1)[None])[0, 0]
        assert sample["density_bits_per_pixel"] == pytest.approx(rate(log_probs.sum().item(), HEIGHT * WIDTH), abs=1e-3)
        assert sample["drawn_density_bits_per_pixel"] == pytest.approx(
            rate(log_probs[3:].sum().item(), (HEIGHT - 3) * WIDTH), abs=1e-3
        )
    first, second = service.canvases(job)
    assert (first[3:] != second[3:]).all()


def test_a_temperature_is_refused_by_the_engine(service: Service) -> None:
    job = service.jobs.run(service.request(temperature=0.5))
    assert job.error is not None and "temperature 1 only" in job.error["message"]
