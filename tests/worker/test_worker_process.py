"""A real worker process: Celery, engine, writer, reaper; tiny bundles with random weights."""

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch

from engine.draw import draw
from models.bundle import load_bundle
from tests.services import SLOW_LAYERS, Valkey, WorkerProcess, running_worker, wait_until, write_tiny_bundle
from tests.worker.jobs import Jobs
from worker.contexts import one_hot
from worker.protocol import JobRequest

SIDE = 8


@dataclass
class Service:
    """One worker, its bundles folder, and a client."""

    jobs: Jobs
    worker: WorkerProcess
    bundles: Path
    hashes: dict[str, str]

    def request(self, model: str, kind: str = "sample", **fields: object) -> JobRequest:
        num_levels = 2 if model == "binary" else 5
        size = {"height": SIDE, "width": SIDE, "channels": 1, "num_levels": num_levels}
        return JobRequest(kind=kind, model=model, sha256=self.hashes[model], **{**size, **fields})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    bundles = folder / "bundles"
    hashes = {
        "binary": write_tiny_bundle(bundles, "binary", height=SIDE, width=SIDE),
        "classes": write_tiny_bundle(bundles, "classes", height=SIDE, width=SIDE, num_levels=5, num_classes=3),
        "long": write_tiny_bundle(bundles, "long", height=64, width=64, layers=SLOW_LAYERS),
        "damaged": write_tiny_bundle(bundles, "damaged"),
    }
    weights = bundles / "damaged" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with Valkey() as valkey, running_worker(valkey, bundles, folder / "log") as worker:
        jobs = Jobs.on(valkey)
        for name in hashes:
            jobs.card(name)
        yield Service(jobs, worker, bundles, hashes)


def test_a_sample_job_draws_what_the_engine_draws(service: Service) -> None:
    job = service.jobs.run(service.request("binary", n=6, seed=2**64 - 1, temperature=0.8))
    model = load_bundle(service.bundles / "binary").model
    images, log_probs = draw(model.program(), 6, SIDE, SIDE, 2**64 - 1, temperature=0.8, num_slots=4)
    assert service.jobs.images(job) == [image.tobytes() for image in images]
    assert [sample["log_prob"] for sample in job.samples] == list(log_probs)
    assert (job.attempt, job.progress.done, job.error) == (1, 6 * SIDE * SIDE, None)
    receipt = job.samples[5]["receipt"]
    assert receipt["seed"] == 2**64 - 1 and receipt["sample"] == 5 and receipt["temperature"] == 0.8
    assert receipt["sha256"] == service.hashes["binary"] and receipt["engine"] == "native"


def test_a_sample_in_bfloat16_is_another_image_and_its_receipt_says_so(service: Service) -> None:
    if "bfloat16" not in service.jobs.card("binary").precisions:
        pytest.skip("this processor has no bfloat16 units")
    job = service.jobs.run(service.request("binary", n=2, seed=5, precision="bfloat16"))
    program = load_bundle(service.bundles / "binary").model.program()
    images, log_probs = draw(program, 2, SIDE, SIDE, 5, interpreter="native-bf16")
    assert service.jobs.images(job) == [image.tobytes() for image in images]
    assert [sample["log_prob"] for sample in job.samples] == list(log_probs)
    receipt = job.samples[1]["receipt"]
    assert receipt["precision"] == "bfloat16" and "bfloat16" in receipt["profile"]
    plain = service.jobs.run(service.request("binary", n=2, seed=5))
    assert plain.samples[0]["receipt"]["profile"].endswith("float32")
    assert [sample["log_prob"] for sample in plain.samples] != list(log_probs)


def test_a_worker_that_draws_with_torch_says_so_and_offers_no_bfloat16(service: Service, tmp_path: Path) -> None:
    bundles = tmp_path / "bundles"
    write_tiny_bundle(bundles, "binary", height=SIDE, width=SIDE)
    with Valkey() as valkey, running_worker(valkey, bundles, tmp_path / "log", interpreter="torch"):
        jobs = Jobs.on(valkey)
        assert jobs.card("binary").precisions == ["float32"]
        receipt = jobs.run(service.request("binary")).samples[0]["receipt"]
        assert receipt["engine"] == "torch"
        job = jobs.run(service.request("binary", precision="bfloat16"))
        assert job.error is not None and job.error["code"] == "model_unavailable"
        assert "no worker draws binary in bfloat16" in job.error["message"]


def test_its_events_tell_all_of_it_in_order(service: Service) -> None:
    job = service.jobs.run(service.request("binary", n=2))
    events = service.jobs.events(job.id)
    kinds = [kind for kind, _ in events]
    assert kinds[:2] == ["queued", "started"] and kinds[-1] == "succeeded" and kinds.count("sample") == 2
    rows = [(row["sample"], row["row"]) for kind, data in events if kind == "progress" for row in data["rows"]]
    assert sorted(rows) == [(k, row) for k in range(2) for row in range(SIDE)]


def test_a_class_is_the_engines_context(service: Service) -> None:
    job = service.jobs.run(service.request("classes", n=1, seed=3, condition={"class": 2}))
    model = load_bundle(service.bundles / "classes").model
    images, _ = draw(model.program(), 1, SIDE, SIDE, 3, [one_hot(2, 3)], num_slots=4)
    assert service.jobs.images(job) == [images[0].tobytes()]


def test_a_completion_keeps_the_rows_that_were_given(service: Service) -> None:
    image = np.ones((SIDE, SIDE, 1), np.uint8)
    job = service.jobs.run(service.request("binary", "completion", n=2, known_rows=3), [image.tobytes()])
    for drawn in service.jobs.images(job):
        assert drawn[: 3 * SIDE] == image.tobytes()[: 3 * SIDE] and drawn != image.tobytes()
    for sample in job.samples:
        assert sample["conditioning"] == "exact" and sample["log_prob"] < sample["drawn_log_prob"] < 0


def test_a_masked_completion_keeps_the_known_pixels(service: Service) -> None:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[:, 5:] = True
    image = np.ones((SIDE, SIDE, 1), np.uint8)
    request = service.request("binary", "completion", n=1, has_mask=True)
    job = service.jobs.run(request, [image.tobytes()], mask.tobytes())
    drawn = np.frombuffer(service.jobs.images(job)[0], np.uint8).reshape(SIDE, SIDE)
    assert (drawn[:, 5:] == 1).all() and (drawn[:, :5] == 0).any()
    assert job.samples[0]["conditioning"] == "causal_only"


def test_a_score_is_the_models_log_prob(service: Service) -> None:
    images = np.random.default_rng(0).integers(0, 2, (3, SIDE, SIDE, 1)).astype(np.uint8)
    request = service.request("binary", "score", n=3, per_pixel=True)
    job = service.jobs.run(request, [image.tobytes() for image in images])
    model = load_bundle(service.bundles / "binary").model
    maps = model.log_prob_map(torch.from_numpy(images).permute(0, 3, 1, 2)).detach().permute(0, 2, 3, 1).numpy()
    for k, sample in enumerate(job.samples):
        assert sample["log_prob"] == pytest.approx(float(maps[k].sum()), abs=1e-3)
        assert sample["bits_per_dim"] == pytest.approx(-sample["log_prob"] / (SIDE * SIDE * math.log(2)))
        assert 0 <= sample["percentile"] <= 100
        kept = service.jobs.records.score_map(job.id, k)
        assert kept is not None
        np.testing.assert_allclose(np.frombuffer(kept, "<f4"), maps[k].ravel(), atol=1e-5)
    assert job.progress.done == job.progress.total


def test_a_score_of_each_class_gives_a_posterior(service: Service) -> None:
    image = np.random.default_rng(1).integers(0, 5, (SIDE, SIDE, 1)).astype(np.uint8)
    request = service.request("classes", "score", condition={"each": True}, per_pixel=True)
    job = service.jobs.run(request, [image.tobytes()])
    (sample,) = job.samples
    scores = np.array([entry["log_prob"] for entry in sample["classes"]])
    posterior = [entry["posterior"] for entry in sample["classes"]]
    assert [entry["name"] for entry in sample["classes"]] == ["class 0", "class 1", "class 2"]
    assert sum(posterior) == pytest.approx(1) and np.argmax(posterior) == np.argmax(scores)
    assert sample["log_prob"] == pytest.approx(float(np.log(np.exp(scores).mean())))
    kept = service.jobs.records.score_map(job.id, 0)
    assert kept is not None and np.frombuffer(kept, "<f4").sum() == pytest.approx(sample["log_prob"], abs=1e-3)


def test_a_message_that_comes_twice_does_no_work_twice(service: Service) -> None:
    job_id = service.jobs.submit(service.request("binary"))
    for _ in range(3):
        service.jobs.send(job_id, "binary")
    job = service.jobs.finish(job_id)
    service.jobs.send(job_id, "binary")
    last = service.jobs.run(service.request("binary"))  # behind the doubles
    assert service.jobs.records.get(job_id) == job and job.attempt == last.attempt == 1


def test_a_lost_message_is_sent_again(service: Service) -> None:
    job, _ = service.jobs.records.create(service.request("binary"), [])
    assert service.jobs.finish(job.id).state == "succeeded"


def test_a_running_job_is_canceled_and_leaves_its_slot(service: Service) -> None:
    job_id = service.jobs.submit(service.request("long", height=64, width=64, n=64))
    service.jobs.wait_for_rows(job_id, 1)
    service.jobs.records.cancel(job_id)
    job = service.jobs.finish(job_id, timeout_s=2)
    assert job.state == "canceled" and 0 < job.progress.done < job.progress.total
    assert service.jobs.events(job_id)[-1][0] == "canceled"
    assert service.jobs.run(service.request("binary")).state == "succeeded"


def test_a_deleted_job_is_let_go(service: Service) -> None:
    job_id = service.jobs.submit(service.request("long", height=64, width=64, n=64))
    service.jobs.wait_for_rows(job_id, 1)
    service.jobs.records.delete(job_id)
    assert service.jobs.run(service.request("binary")).state == "succeeded"
    assert not service.jobs.records.client.exists(f"scanline:job:{job_id}:canvas:0")


def test_a_job_of_other_weights_fails(service: Service) -> None:
    job = service.jobs.run(replace(service.request("binary"), sha256="0" * 64))
    assert job.error is not None and job.error["code"] == "model_changed"


def test_a_job_that_the_engine_does_not_take_fails_alone(service: Service) -> None:
    good = service.jobs.submit(service.request("classes", condition={"class": 0}))
    bad = service.jobs.run(service.request("classes"))  # a conditional model without a condition
    assert bad.error is not None and bad.error["code"] == "engine_failed"
    assert service.jobs.finish(good).state == "succeeded"


def test_a_damaged_bundle_is_refused_and_the_others_are_served(service: Service) -> None:
    refused = service.jobs.card("damaged")
    assert refused.status == "refused" and refused.reason is not None and "sha256" in refused.reason
    card = service.jobs.card("classes")
    assert card.status == "admitted" and card.conditioning is not None and card.num_levels == 5
    assert card.conditioning["names"] == ["class 0", "class 1", "class 2"]
    assert card.pixels_per_second is not None and card.pixels_per_second > 0


def test_a_bundle_comes_and_goes_without_a_restart(service: Service) -> None:
    service.hashes["late"] = write_tiny_bundle(service.bundles, "late", height=SIDE, width=SIDE, num_levels=5)
    assert service.jobs.card("late").status == "admitted"
    job = service.jobs.run(service.request("late"))
    assert job.state == "succeeded"
    shutil.rmtree(service.bundles / "late")
    wait_until(lambda: "late" not in [card.id for card in service.jobs.records.published()])
    orphan = service.jobs.run(service.request("late"))
    assert orphan.error is not None and orphan.error["code"] == "model_unavailable"
