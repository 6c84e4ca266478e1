"""The service's scoring against the bare module: the same images through pieces of a score job, and in batches."""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from benchmarks.clock import seconds
from benchmarks.nets import LAYERS, SIZE, WIDTH, gated_pixelcnn, write_random_bundle
from benchmarks.rounding import CHECKPOINTS, TRAINED
from benchmarks.table import Findings, Table
from benchmarks.turns import alternate
from models.base import Model
from models.bundle_config import read_config
from worker.attempt import Attempt
from worker.leases import Claim
from worker.loaded_model import LoadedModel, LoadedModels
from worker.protocol import JobRequest
from worker.score_run import ScoreRun

NUM_IMAGES = 64
BATCHES = (1, 2, 4, 8, 16, 64)


def scoring(_: Sequence[int], rounds: int) -> Findings:
    """The random net and a shipped one."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        random = Path(folder, f"random-{LAYERS}x{WIDTH}")
        write_random_bundle(random, gated_pixelcnn())
        for directory in (random, CHECKPOINTS / TRAINED[0]):
            rows.append((directory.name, *_compare(directory, rounds)))
    header = (
        *("bundle", "bare module at its best, images/s (batch)", "in batches like the pieces"),
        *("score job, images/s (piece)", "of the best", "of batches alike"),
    )
    notes = (
        f"Processor time of one thread for {NUM_IMAGES} images of {SIZE}x{SIZE}, median of {rounds} turns. The module "
        "is given all images at once and cuts them into batches; the job cuts itself into pieces of at most 50 ms, and "
        "makes its results, too."
    )
    return Findings([Table("Scoring", header, rows, notes)])


def _compare(directory: Path, rounds: int) -> tuple[str, ...]:
    config = read_config(directory)
    images = np.random.default_rng(0).integers(0, 2, (NUM_IMAGES, SIZE, SIZE, 1), np.uint8)
    with LoadedModels(1 << 30, 4, lambda: False).use(directory, config.id, config.weights_sha256) as loaded:
        job, pieces = _job(loaded, images)
        ways = {str(batch): _bare(loaded.model, images, batch) for batch in BATCHES}
        took = alternate({**ways, "job": job}, rounds)
    rates = {name: NUM_IMAGES / took[name] for name in took}
    best = max(ways, key=lambda name: rates[name])
    piece = NUM_IMAGES / pieces[-1]
    alike = min(ways, key=lambda name: abs(int(name) - piece))
    bare = (f"{rates[best]:.1f} ({best})", f"{rates[alike]:.1f} ({alike})")
    shares = (f"{rates['job'] / rates[best]:.1%}", f"{rates['job'] / rates[alike]:.1%}")
    return *bare, f"{rates['job']:.1f} ({piece:.1f})", *shares


def _bare(model: Model, images: np.ndarray, batch: int) -> Callable[[], float]:
    x = torch.from_numpy(images).permute(0, 3, 1, 2).contiguous()

    @torch.inference_mode()
    def run() -> None:
        for start in range(0, len(x), batch):
            model.log_prob_map(x[start : start + batch]).sum((1, 2, 3)).numpy()

    return lambda: seconds(run)


def _job(loaded: LoadedModel, images: np.ndarray) -> tuple[Callable[[], float], list[int]]:
    """A whole score job a call, results included; and the number of pieces that each call took."""
    request = JobRequest("score", loaded.config.id, loaded.config.weights_sha256, SIZE, SIZE, 1, 2, n=len(images))
    uploads, num_pieces = [image.tobytes() for image in images], list[int]()

    def run() -> None:
        attempt = Attempt(Claim("job", 1, request, uploads, None, [b""] * len(images), frozenset()), lambda: None)
        score, pieces = ScoreRun(attempt, loaded), 0
        while piece := score.take_piece():
            score.score(piece)
            pieces += 1
        num_pieces.append(pieces)

    return lambda: seconds(run), num_pieces
