"""What the tests of the HTTP process need beside the process: published cards, image files, a hand that draws a job."""

import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from worker.leases import Leases, SampleResult, Update
from worker.protocol import Card, State, WorkerReport
from worker.records import JobRecord, Records

NAMES = ["T-shirt", "Sandal", "Sneaker", "Bag"]

CLOTHES = Card(
    "clothes",
    "c0" * 32,
    "admitted",
    title="Clothes",
    architecture="gated_pixelcnn",
    height=8,
    width=6,
    channels=1,
    num_levels=256,
    head="categorical",
    conditioning={"kind": "class", "names": NAMES},
    training={"date": "2026-11-24"},
    evaluation={"score_quantiles": [-20.0, -10.0]},
    pixels_per_second=1000.0,
    profile="torch-cpu",
    precisions=["float32", "bfloat16"],
)
INK = Card("ink", "1c" * 32, "admitted", height=8, width=6, channels=1, num_levels=2, conditioning={"kind": "none"})
COLOUR = Card("colour", "d0" * 32, "admitted", channels=3, num_levels=256, conditioning={"kind": "none"})
DENSITY = Card(
    "density",
    "de" * 32,
    "admitted",
    channels=1,
    num_levels=0,
    pixels={"dequantisation": "uniform", "low": 4.5, "high": 250.0},
    head="mcgsm",
    conditioning={"kind": "none"},
    evaluation={"density_bits_per_pixel": {"mean": 3.5, "standard_error": 0.1}},
)
BROKEN = Card("broken", "00" * 32, "refused", reason="its weights have another hash")
CARDS = (CLOTHES, INK, COLOUR, BROKEN)


def publish(leases: Leases, cards: tuple[Card, ...] = CARDS, is_complete: bool = True) -> None:
    leases.publish(WorkerReport("test-worker", 0.0, 0.0, "0", cards, is_complete), ttl_s=60)


def image_file(pixels: Any, mode: str | None = None, file_format: str = "PNG", **options: Any) -> bytes:
    """`pixels`: uint8 [row, col] or [row, col, channel]; or a Pillow image."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.asarray(pixels, np.uint8))
    file = io.BytesIO()
    (image if mode is None else image.convert(mode)).save(file, file_format, **options)
    return file.getvalue()


def grey(height: int = 8, width: int = 6) -> np.ndarray:
    """A ramp: every pixel another level."""
    return np.arange(height * width, dtype=np.uint8).reshape(height, width)


def black_and_white(height: int = 8, width: int = 6) -> np.ndarray:
    return (grey(height, width) % 2 * 255).astype(np.uint8)


def draw(leases: Leases, job_id: str, end: State | None = "succeeded", rows: int | None = None) -> list[np.ndarray]:
    """Draw a job as a worker would, row by row, the levels made up from the sample's number; its images."""
    claim = leases.claim(job_id, "test-worker", f"token-{job_id}", "torch-cpu")
    assert claim is not None
    request = claim.request
    images = [sample_levels(request.height, request.width, request.channels, k) for k in range(request.n)]
    count = request.height if rows is None else rows
    for row in range(count):
        pieces = [(k, row, image[row].tobytes()) for k, image in enumerate(images)]
        told = json.dumps([{"sample": k, "row": row, "data": ""} for k in range(request.n)])
        leases.flush([Update(job_id, claim.attempt, pieces, told)])
    results = [result(k) for k in range(request.n)] if count == request.height else []
    leases.flush([Update(job_id, claim.attempt, results=results, next_state=end, data='{"unit": "nats"}')])
    return images


def sample_levels(height: int, width: int, channels: int, k: int) -> np.ndarray:
    return ((np.arange(height * width * channels) + k) % 2).astype(np.uint8).reshape(height, width, channels)


def result(k: int, score_map: bytes = b"") -> SampleResult:
    return SampleResult(k, json.dumps({"sample": k, "log_prob": -1.5, "receipt": {"sample": k}}), score_map=score_map)


def delete_once_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a job is deleted, as by another client, right after its record was read."""
    found = Records.get

    def found_and_deleted(records: Records, job_id: str) -> JobRecord:
        record = found(records, job_id)
        records.delete(job_id)
        return record

    monkeypatch.setattr(Records, "get", found_and_deleted)
