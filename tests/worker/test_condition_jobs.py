"""Jobs that are conditioned on embeddings, images and tags, in a real worker process."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.draw import draw
from models.bundle import Bundle, load_bundle
from tests.services import SLOW_LAYERS, Valkey, WorkerProcess, running_worker, wait_until, write_tiny_bundle
from tests.worker.jobs import Jobs
from worker.embedding import embed
from worker.protocol import JobRequest

SIDE, LONG, SIZE = 8, 64, 5
TAGS = ("red", "round", "small")
IMAGES = np.random.default_rng(3).integers(0, 2, (2, SIDE, SIDE, 1)).astype(np.uint8)


@dataclass
class Service:
    jobs: Jobs
    worker: WorkerProcess
    bundles: Path
    hashes: dict[str, str]

    def request(self, model: str, kind: str = "sample", **fields: Any) -> JobRequest:
        side = LONG if model == "long" else SIDE
        size = {"height": side, "width": side, "channels": 1, "num_levels": 2}
        return JobRequest(kind=kind, model=model, sha256=self.hashes[model], **{**size, **fields})  # type: ignore[arg-type]

    def bundle(self, name: str) -> Bundle:
        return load_bundle(self.bundles / name)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("conditions")
    bundles = folder / "bundles"
    hashes = {
        "faces": write_tiny_bundle(bundles, "faces", embedding=SIZE),
        "tagged": write_tiny_bundle(bundles, "tagged", tags=TAGS),
        "long": write_tiny_bundle(bundles, "long", height=LONG, width=LONG, embedding=SIZE, layers=SLOW_LAYERS),
    }
    with Valkey() as valkey, running_worker(valkey, bundles, folder / "log") as worker:
        jobs = Jobs.on(valkey)
        for name in hashes:
            assert jobs.card(name).status == "admitted", jobs.card(name).reason
        yield Service(jobs, worker, bundles, hashes)


def given(upload: int) -> dict[str, Any]:
    return {"image": {"upload": upload, "sha256": "aa"}}


def test_a_card_says_what_is_taken(service: Service) -> None:
    embedding = {"kind": "embedding", "size": SIZE, "normalised": True, "takes_image": True}
    assert service.jobs.card("faces").conditioning == embedding
    assert service.jobs.card("tagged").conditioning == {"kind": "tags", "names": list(TAGS)}


def test_tags_are_the_engines_context(service: Service) -> None:
    job = service.jobs.run(service.request("tagged", n=2, seed=3, condition={"tags": ["red", "small"]}))
    vector = np.array([1, 0, 1], np.float32)
    images, _ = draw(service.bundle("tagged").model.program(), 2, SIDE, SIDE, 3, [vector] * 2, num_slots=4)
    assert service.jobs.images(job) == [image.tobytes() for image in images]
    assert job.samples[1]["receipt"]["condition"] == {"tags": ["red", "small"]}


def test_an_image_is_embedded_once_and_all_samples_are_drawn_from_its_vector(service: Service) -> None:
    request = service.request("faces", n=3, seed=4, condition=given(0))
    job = service.jobs.run(request, [IMAGES[0].tobytes()])
    bundle = service.bundle("faces")
    assert bundle.encoder is not None
    vector = embed(bundle.encoder, IMAGES[0])
    images, _ = draw(bundle.model.program(), 3, SIDE, SIDE, 4, [vector] * 3, num_slots=4)
    assert service.jobs.images(job) == [image.tobytes() for image in images]
    receipt = job.samples[2]["receipt"]
    again = service.jobs.run(service.request("faces", n=3, seed=4, condition=receipt["condition"]))
    assert service.jobs.images(again) == service.jobs.images(job)
    assert again.samples[2]["receipt"]["context_sha256"] == receipt["context_sha256"]


def test_a_path_holds_the_random_numbers_fixed(service: Service) -> None:
    path = {"interpolate": {"from": given(0), "to": given(1), "steps": 4}}
    job = service.jobs.run(service.request("faces", n=4, seed=6, condition=path), [image.tobytes() for image in IMAGES])
    for k, sample in enumerate(job.samples):
        receipt = sample["receipt"]
        assert (receipt["sample"], receipt["interpolation"]) == (0, {"step": k, "steps": 4})
        alone = service.jobs.run(service.request("faces", seed=6, condition=receipt["condition"]))
        assert service.jobs.images(alone)[0] == service.jobs.images(job)[k]


def test_a_kill_in_mid_image_leaves_no_trace_and_the_vector_is_that_of_the_first_attempt(service: Service) -> None:
    image = np.random.default_rng(5).integers(0, 2, (LONG, LONG, 1)).astype(np.uint8).tobytes()
    request = service.request("long", n=24, seed=8, condition=given(0))
    undisturbed = service.jobs.finish(service.jobs.submit(request, [image]), 120)
    job_id = service.jobs.submit(request, [image])
    service.jobs.wait_for_rows(job_id, 3)
    service.worker.kill()
    assert sum(service.jobs.records.get(job_id).progress.rows) < 24 * LONG
    service.worker.start()
    resumed = service.jobs.finish(job_id, 120)  # a worker on a busy machine needs half a minute to start
    assert resumed.attempt == 2
    assert service.jobs.images(resumed) == service.jobs.images(undisturbed)
    assert resumed.samples == undisturbed.samples


def test_a_vector_that_is_kept_with_the_job_is_not_made_again(service: Service) -> None:
    bundle, records = service.bundle("faces"), service.jobs.records
    assert bundle.encoder is not None
    made = embed(bundle.encoder, IMAGES[0])
    kept = -made
    job, _ = records.create(service.request("faces", n=4, seed=4, condition=given(0)), [IMAGES[0].tobytes()])
    records.client.hset(f"scanline:job:{job.id}", "embedded", kept.tobytes())
    service.jobs.send(job.id, "faces")
    drawn = service.jobs.images(service.jobs.finish(job.id))
    with_kept, with_made = (
        [image.tobytes() for image in draw(bundle.model.program(), 4, SIDE, SIDE, 4, [vector] * 4, num_slots=4)[0]]
        for vector in (kept, made)
    )
    assert with_kept != with_made
    assert drawn == with_kept


def test_scores_and_completions_take_an_image_beside_their_own(service: Service) -> None:
    scored = service.jobs.run(
        service.request("faces", "score", n=1, condition=given(1)), [image.tobytes() for image in IMAGES]
    )
    bundle = service.bundle("faces")
    assert bundle.encoder is not None
    context = torch.from_numpy(embed(bundle.encoder, IMAGES[1]))[None]
    with torch.no_grad():
        expected = bundle.model.log_prob(torch.from_numpy(IMAGES[:1]).permute(0, 3, 1, 2), context).item()
    assert scored.samples[0]["log_prob"] == pytest.approx(expected, abs=1e-4)
    assert scored.samples[0]["receipt"]["condition"].keys() == {"embedding"}
    completed = service.jobs.run(
        service.request("faces", "completion", known_rows=3, seed=1, condition=given(1)),
        [image.tobytes() for image in IMAGES],
    )
    assert service.jobs.images(completed)[0][: 3 * SIDE] == IMAGES[0].tobytes()[: 3 * SIDE]


def test_a_path_through_zero_fails_and_says_why(service: Service) -> None:
    opposite = {"from": {"embedding": [1, 0, 0, 0, 0]}, "to": {"embedding": [-1, 0, 0, 0, 0]}, "steps": 3}
    job = service.jobs.run(service.request("faces", n=3, condition={"interpolate": opposite}))
    assert job.state == "failed" and job.error is not None and "no direction" in job.error["message"]


def test_deleting_a_job_deletes_the_images_of_its_condition(service: Service) -> None:
    job = service.jobs.run(service.request("faces", condition=given(0)), [IMAGES[0].tobytes(), b"x"])
    service.jobs.records.delete(job.id)
    client = service.jobs.records.client
    wait_until(lambda: not client.keys(f"scanline:job:{job.id}:upload:*"), what="the uploads to be gone")
