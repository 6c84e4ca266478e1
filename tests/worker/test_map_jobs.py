"""Jobs whose images are drawn or scored given a map, in a real worker process."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from engine.draw import draw
from models.bundle import Bundle, load_bundle
from models.conditioning import ByMap
from models.given_map import numbers_of
from tests.services import SLOW_LAYERS, Valkey, WorkerProcess, running_worker, write_tiny_bundle
from tests.worker.jobs import Jobs
from worker.protocol import JobRequest

SIDE, LONG = 7, 64  # half of 7 is 4
GIVEN: dict[str, Any] = {"map": {"upload": 0, "sha256": "aa"}}


@dataclass
class Service:
    jobs: Jobs
    worker: WorkerProcess
    bundles: Path
    hashes: dict[str, str]

    def request(self, model: str, kind: str = "sample", **fields: Any) -> JobRequest:
        side = LONG if model == "long" else SIDE
        size = {"height": side, "width": side, "channels": 1, "num_levels": 2}
        told = {"condition": GIVEN, **size, **fields}
        return JobRequest(kind=kind, model=model, sha256=self.hashes[model], **told)  # type: ignore[arg-type]

    def bundle(self, name: str) -> Bundle:
        return load_bundle(self.bundles / name)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("maps")
    bundles = folder / "bundles"
    hashes = {
        "small": write_tiny_bundle(bundles, "small", height=SIDE, width=SIDE, conditioned_map="image"),
        "labels": write_tiny_bundle(bundles, "labels", height=SIDE, width=SIDE, conditioned_map="labels"),
        "long": write_tiny_bundle(
            bundles, "long", height=LONG, width=LONG, conditioned_map="image", layers=SLOW_LAYERS
        ),
    }
    with Valkey() as valkey, running_worker(valkey, bundles, folder / "log") as worker:
        jobs = Jobs.on(valkey)
        for name in hashes:
            assert jobs.card(name).status == "admitted", jobs.card(name).reason
        yield Service(jobs, worker, bundles, hashes)


def map_levels(bundle: Bundle, side: int, seed: int) -> np.ndarray:
    """Levels of a random map for images of side x side, [row, column, channel]."""
    told = bundle.config.conditioning
    assert isinstance(told, ByMap)
    shape = (*told.shape(side, side), told.channels)
    return np.random.default_rng(seed).integers(0, told.num_levels, shape).astype(np.uint8)


def numbers(bundle: Bundle, levels: np.ndarray) -> np.ndarray:
    """What the model is told, [row, column, number]."""
    told = bundle.config.conditioning
    assert isinstance(told, ByMap)
    maps = numbers_of(torch.from_numpy(levels).movedim(-1, 0)[None], told)
    return maps[0].movedim(0, -1).contiguous().numpy()


def test_a_card_says_what_is_taken(service: Service) -> None:
    small = {"kind": "map", "what": "image", "level": 1, "channels": 1, "num_levels": 2, "height": 4, "width": 4}
    assert service.jobs.card("small").conditioning == small
    told = service.jobs.card("labels").conditioning
    assert told is not None and (told["names"], told["height"]) == (["sky", "tree", "ground"], SIDE)


@pytest.mark.parametrize("model", ["small", "labels"])
def test_a_map_is_the_engines_map(service: Service, model: str) -> None:
    bundle = service.bundle(model)
    drawn = []
    for seed in (1, 2):
        levels = map_levels(bundle, SIDE, seed)
        job = service.jobs.run(service.request(model, n=2, seed=3), [levels.tobytes()])
        given = numbers(bundle, levels)
        images, log_probs = draw(bundle.model.program(), 2, SIDE, SIDE, 3, [given] * 2, num_slots=4)
        assert service.jobs.images(job) == [image.tobytes() for image in images]
        assert [sample["log_prob"] for sample in job.samples] == pytest.approx(log_probs.tolist())
        told = job.samples[1]["receipt"]
        assert told["condition"] == {"map": {"sha256": "aa"}}
        assert told["context_sha256"] == hashlib.sha256(given.tobytes()).hexdigest()
        drawn.append(service.jobs.images(job))
    assert drawn[0] != drawn[1], "of another map"


def test_scores_and_completions_take_a_map_beside_their_own_image(service: Service) -> None:
    bundle = service.bundle("small")
    image = np.random.default_rng(3).integers(0, 2, (SIDE, SIDE, 1)).astype(np.uint8)
    levels = map_levels(bundle, SIDE, 4)
    uploads, condition = [image.tobytes(), levels.tobytes()], {"map": {"upload": 1, "sha256": "aa"}}
    scored = service.jobs.run(service.request("small", "score", condition=condition), uploads)
    context = torch.from_numpy(numbers(bundle, levels)).movedim(-1, 0)[None]
    with torch.no_grad():
        expected = bundle.model.log_prob(torch.from_numpy(image).permute(2, 0, 1)[None], context).item()
    assert scored.samples[0]["log_prob"] == pytest.approx(expected, abs=1e-4)
    assert scored.samples[0]["receipt"]["condition"] == {"map": {"sha256": "aa"}}
    request = service.request("small", "completion", known_rows=3, seed=1, condition=condition)
    completed = service.jobs.run(request, uploads)
    assert service.jobs.images(completed)[0][: 3 * SIDE] == image.tobytes()[: 3 * SIDE]


def test_a_kill_in_mid_image_leaves_no_trace(service: Service) -> None:
    levels = map_levels(service.bundle("long"), LONG, 5).tobytes()
    request = service.request("long", n=24, seed=8)
    undisturbed = service.jobs.finish(service.jobs.submit(request, [levels]), 120)
    job_id = service.jobs.submit(request, [levels])
    service.jobs.wait_for_rows(job_id, 3)
    service.worker.kill()
    assert sum(service.jobs.records.get(job_id).progress.rows) < 24 * LONG
    service.worker.start()
    resumed = service.jobs.finish(job_id, 120)  # a worker on a busy machine needs half a minute to start
    assert resumed.attempt == 2
    assert service.jobs.images(resumed) == service.jobs.images(undisturbed)
    assert resumed.samples == undisturbed.samples
