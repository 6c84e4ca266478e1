"""GET of what a job has drawn: images, as PNG, all in a ZIP or a NumPy file, or on one sheet."""

import hashlib
import time
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Header, Response

from app import headers
from app.errors import ApiError, Code
from app.openapi import file_answer, problem_responses
from app.pictures import grid_png, levels_of, npy, sample_png, zipped
from app.services import Services, WithServices
from worker.records import JobRecord

router = APIRouter(
    prefix="/v1/jobs/{job_id}",
    tags=["Results"],
    responses=problem_responses(Code.UNKNOWN_JOB, Code.NOT_DRAWN_YET, Code.JOB_EXPIRED, Code.STORE_UNAVAILABLE),
)
IfNoneMatch = Annotated[str | None, Header()]


def immutable(
    build: Callable[[], bytes | memoryview], media_type: str, record: JobRecord, if_none_match: str | None, name: str
) -> Response:
    """A finished result never changes, so that its job and its name say all: a cache may hold it as long as the job
    itself is kept, and nothing is built for a client that has it."""
    etag = f'"{hashlib.sha256(f"{record.id}/{name}".encode()).hexdigest()[:32]}"'
    max_age = max(0, int(record.expires_at - time.time()))
    answer_headers = {
        "ETag": etag,
        "Cache-Control": f"private, max-age={max_age}, immutable",
        "Content-Disposition": f'inline; filename="{name}"',
    }
    if headers.matches(if_none_match, etag):
        return Response(status_code=304, headers=answer_headers)
    return Response(build(), media_type=media_type, headers=answer_headers)


@router.get("/images/{k}", summary="One drawn image (PNG)", responses=file_answer("image/png"))
def get_image(job_id: str, k: int, services: WithServices, if_none_match: IfNoneMatch = None) -> Response:
    """Ready as soon as sample `k` is finished, before the job is. Its receipt stands in the text chunk
    `scanline-receipt`. Of a completion with `sweeps` that are not done, the image as it is now, without a receipt."""
    record = find_drawing(services, job_id)
    if not 0 <= k < record.request.n:
        raise ApiError(Code.NOT_FOUND, f"The job draws images 0 to {record.request.n - 1}; there is no {k}.", param="k")
    # The canvas may have gone since: the job was deleted, or begins again in another numeric profile.
    if is_swept(record, k) and (canvas := services.records.canvas(job_id, k)):
        body = sample_png(canvas, record.request)
        return Response(body, media_type="image/png", headers={"Cache-Control": "no-store"})
    finished(record, k)  # raises as long as it is not
    return immutable(lambda: one_png(services, record, k), "image/png", record, if_none_match, file_name(record, k))


@router.get("/images.zip", summary="All images (ZIP of PNGs)", responses=file_answer("application/zip"))
def get_zip(job_id: str, services: WithServices, if_none_match: IfNoneMatch = None) -> Response:
    record = find_finished(services, job_id)

    def build() -> bytes:
        return zipped({file_name(record, k): one_png(services, record, k) for k in range(record.request.n)})

    return immutable(build, "application/zip", record, if_none_match, f"{job_id}.zip")


@router.get("/images.npy", summary="All images (NumPy)", responses=file_answer("application/octet-stream"))
def get_npy(job_id: str, services: WithServices, if_none_match: IfNoneMatch = None) -> Response:
    """Raw levels, uint8 [n, height, width, channels], values 0 to num_levels - 1; of a density the float32 numbers that
    were drawn, whose whole part from 0 to 255 a PNG shows."""
    record = find_finished(services, job_id)
    request = record.request
    shape = (request.n, request.height, request.width, request.channels)

    def build() -> memoryview:
        return npy(all_levels(services, record), shape, "<f4" if request.is_density else "u1")

    return immutable(build, "application/octet-stream", record, if_none_match, f"{job_id}.npy")


@router.get("/grid", summary="All images on one sheet (PNG)", responses=file_answer("image/png"))
def get_grid(job_id: str, services: WithServices, if_none_match: IfNoneMatch = None) -> Response:
    record = find_finished(services, job_id)

    def build() -> bytes:
        receipts = [sample["receipt"] for sample in record.samples]
        return grid_png(all_levels(services, record), record.request, receipts)

    return immutable(build, "image/png", record, if_none_match, f"{job_id}.png")


def find_drawing(services: Services, job_id: str) -> JobRecord:
    record = services.records.get(job_id)
    if record.request.kind == "score":
        raise ApiError(Code.NOT_FOUND, "A score job draws nothing; its numbers are in the job, its maps under maps/.")
    return record


def find_finished(services: Services, job_id: str) -> JobRecord:
    record = find_drawing(services, job_id)
    if record.state != "succeeded":
        message = f"The job is {record.state}; all its images together exist once it has succeeded."
        raise ApiError(Code.NOT_DRAWN_YET, message, param="job_id")
    return record


def finished(record: JobRecord, k: int) -> dict[str, Any]:
    """The result of sample k."""
    for sample in record.samples:
        if sample["sample"] == k:
            return sample
    message = f"Image {k} is not finished ({record.progress.rows[k]} of {record.request.canvas_height} rows are drawn)."
    raise ApiError(Code.NOT_DRAWN_YET, message, param="k")


def is_swept(record: JobRecord, k: int) -> bool:
    """Whether sample k is drawn, and its hole still changes."""
    drawn = record.progress.rows[k] == record.request.canvas_height
    return record.request.sweeps > 0 and drawn and all(sample["sample"] != k for sample in record.samples)


def one_png(services: Services, record: JobRecord, k: int) -> bytes:
    receipt = finished(record, k)["receipt"]
    return sample_png(canvas_of(services, record, k), record.request, receipt)


def all_levels(services: Services, record: JobRecord) -> Iterator[np.ndarray]:
    """Of a finished job: its images one after another, for together they may be large."""
    return (levels_of(canvas_of(services, record, k), record.request) for k in range(record.request.n))


def canvas_of(services: Services, record: JobRecord, k: int) -> bytes:
    """Of a finished sample: it is there as long as the job is."""
    canvas = services.records.canvas(record.id, k)
    if not canvas:
        services.records.get(record.id)  # raises: the job was deleted since its record was read
        raise ApiError(Code.NOT_DRAWN_YET, f"Image {k} has gone from the store; send the request again.", param="k")
    return canvas


def file_name(record: JobRecord, k: int) -> str:
    return f"{record.request.model}-{record.request.seed}-{k}.png"
