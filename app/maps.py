"""GET of score maps: where in an image the surprise lies."""

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Header, Response

from app.errors import ApiError, Code
from app.images import immutable
from app.openapi import file_answer, problem_responses
from app.pictures import map_png, npy
from app.services import Services, WithServices
from worker.records import JobRecord

router = APIRouter(
    prefix="/v1/jobs/{job_id}/maps",
    tags=["Results"],
    responses=problem_responses(Code.NOT_DRAWN_YET, Code.JOB_EXPIRED, Code.STORE_UNAVAILABLE),
)
IfNoneMatch = Annotated[str | None, Header()]


@router.get("/{k}.npy", summary="A score map (NumPy)", responses=file_answer("application/octet-stream"))
def get_map_numbers(job_id: str, k: int, services: WithServices, if_none_match: IfNoneMatch = None) -> Response:
    """log p of every sub-pixel in nats, float32 [height, width, channels]; its sum is the image's log p.

    Of a density: bits of every pixel scaled to [0, 1), averaged over the draws; their mean is the image's score.
    """
    record, log_prob = find_map(services, job_id, k)
    return immutable(
        lambda: npy([log_prob], log_prob.shape, log_prob.dtype),
        "application/octet-stream",
        record,
        if_none_match,
        f"{job_id}-map-{k}.npy",
    )


@router.get("/{k}", summary="A score map (PNG)", responses=file_answer("image/png"))
def get_map_picture(job_id: str, k: int, services: WithServices, if_none_match: IfNoneMatch = None) -> Response:
    """-log p of every pixel as grey; the text chunk `scanline-map` says how much black and white are, and in which
    unit. Black is 0 nats, or the least surprising pixel of a density."""
    record, log_prob = find_map(services, job_id, k)
    return immutable(
        lambda: map_png(log_prob, record.request.is_density),
        "image/png",
        record,
        if_none_match,
        f"{job_id}-map-{k}.png",
    )


def find_map(services: Services, job_id: str, k: int) -> tuple[JobRecord, np.ndarray]:
    record = services.records.get(job_id)
    request = record.request
    if not request.per_pixel or not 0 <= k < request.n:
        message = "Only a score job with `per_pixel` has maps, one for each of its images."
        raise ApiError(Code.NOT_FOUND, message, param="k")
    data = services.records.score_map(job_id, k)
    if data is None:
        services.records.get(job_id)  # raises if the job was deleted since its record was read
        raise ApiError(Code.NOT_DRAWN_YET, f"Image {k} is not scored; the job is {record.state}.", param="k")
    log_prob = np.frombuffer(data, "<f4").reshape(request.height, request.width, request.channels)
    return record, log_prob
