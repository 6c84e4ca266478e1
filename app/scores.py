"""POST /v1/scores: the exact log-likelihood of given images."""

from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from app import catalog
from app.condition_images import ConditionImages, texts_in
from app.condition_values import names_of
from app.conditions import resolve
from app.errors import ApiError, Code
from app.job_request import image_size, noise, shape_of
from app.levels import Size, to_levels, upload_facts
from app.openapi import SUBMIT_ANSWERS, SUBMIT_CODES, UPLOAD_CODES, body, problem_responses, submit_extra
from app.request_body import JSON, MULTIPART, Body, read_body
from app.request_files import from_base64, repeated_file
from app.request_models import ScoreFields, ScoreJsonFields, form_fields
from app.services import WithServices
from app.settings import Settings
from app.submit import Submission, fingerprint, submit
from app.uploads import check_together, decode
from app.validation import validated
from worker.protocol import Card, JobRequest

router = APIRouter(prefix="/v1", tags=["Ask"])

MAX_LEVEL_PIXELS = 512 * 512
MAX_DRAWN_PIXELS = 4 * 1024 * 1024

# A black image of 28x28 pixels.
BLACK = "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAAFElEQVR4nGNgGAWjYBSMglEwCoYTAAAHmAABtZGUxAAAAABJRU5ErkJggg=="
JSON_EXAMPLE = {"model": "gated-pixelcnn-mnist", "images": [BLACK], "condition": "each"}
FORM_EXAMPLE = {"model": "gated-pixelcnn-mnist", "image": "@digit.png", "condition": "each", "per_pixel": True}
FILES: dict[str, Any] = {
    "image": {
        "type": "array",
        "items": {"type": "string", "format": "binary"},
        "description": "PNG, JPEG or WebP; repeat the part for several images.",
    }
}


@router.post(
    "/scores",
    summary="Score images",
    status_code=202,
    responses=SUBMIT_ANSWERS | problem_responses(*SUBMIT_CODES, *UPLOAD_CODES),
    openapi_extra=submit_extra(
        {MULTIPART: body(ScoreFields, FORM_EXAMPLE, FILES), JSON: body(ScoreJsonFields, JSON_EXAMPLE)}
    ),
)
async def post_scores(request: Request, services: WithServices) -> Response:
    """log p of each image in nats and bits per dimension, and its percentile among the scores of the test set.

    With `condition` "each", every class in turn and p(class given image).

    A density (`kind` in the result) has no nats: its unit is bit/px of a density, higher is better. Bytes are
    dequantised by noise on [0, 1), `draws` times; `code_length` bounds their discrete code length in bits/dim.
    """
    sent = await read_body(request, {JSON, MULTIPART}, max_files=services.settings.max_samples)
    fields, files = score_fields(sent)
    if len(files) > services.settings.max_samples:
        message = f"{len(files)} images are given; at most {services.settings.max_samples} are scored at once."
        raise ApiError(Code.INVALID_FIELD, message, param="image")
    card = catalog.find_admitted(await run_in_threadpool(services.records.published), fields.model)
    pictures: list[bytes | str] = [*(file for _, file in files), *texts_in(fields.condition)]
    submission = await services.decoding.run(pictures, score_submission, card, fields, files, services.settings)
    return await submit(request, services, submission)


def check_score(card: Card, fields: ScoreFields, size: Size) -> None:
    """A parallel pass holds all feature maps of an image at once, and a density one map a draw until the last."""
    pixels = size[0] * size[1]
    if not card.is_density and pixels > MAX_LEVEL_PIXELS:
        message = f"{size[1]}x{size[0]} pixels are too many to be scored at once; at most {MAX_LEVEL_PIXELS} are."
        raise ApiError(Code.INVALID_FIELD, message, param="image")
    if pixels * (fields.draws or 1) > MAX_DRAWN_PIXELS:
        message = f"`draws` is {fields.draws}: {size[1]}x{size[0]} pixels allow {MAX_DRAWN_PIXELS // pixels}."
        raise ApiError(Code.INVALID_FIELD, message, param="draws")


def score_fields(sent: Body) -> tuple[ScoreFields, list[tuple[str, bytes]]]:
    """The fields, and each file with the name that an error gives it."""
    if sent.strict:
        json_fields = validated(ScoreJsonFields, sent.fields, strict=True)
        names = [f"images.{k}" for k in range(len(json_fields.images))]
        decoded = [from_base64(text, name) for name, text in zip(names, json_fields.images, strict=True)]
        fields = ScoreFields(**json_fields.model_dump(exclude={"images"}))
        return fields, list(zip(names, decoded, strict=True))
    fields = validated(ScoreFields, form_fields(sent), strict=False)
    files = repeated_file(sent, "image")
    names = ["image"] if len(files) == 1 else [f"image.{k}" for k in range(len(files))]
    return fields, list(zip(names, files, strict=True))


def score_submission(card: Card, fields: ScoreFields, files: list[tuple[str, bytes]], settings: Settings) -> Submission:
    """Each file is decoded and cut to levels before the next, so that only one large image is in memory."""
    check_together(files, settings.max_upload_pixels, settings.max_request_pixels)
    blobs, facts, size = [], [], None
    for name, file in files:
        upload = decode(file, name, settings.max_upload_pixels)
        if upload.has_holes:
            message = f"`{name}` has transparent pixels, which have no value to score; send an opaque image."
            raise ApiError(Code.IMAGE_DOES_NOT_FIT, message, param=name)
        size = size or image_size(card, upload.height, upload.width, settings, name)
        blobs.append(to_levels(upload, card, size, fields.fit, fields.levels, name, fields.grayscale).tobytes())
        facts.append(upload_facts(upload, fields.fit, fields.levels, fields.grayscale))
    assert size is not None
    check_score(card, fields, size)
    images = ConditionImages(card, settings.max_upload_pixels, size, first_upload=len(files))
    condition = resolve(card, fields.condition, images, each_allowed=True)
    job = JobRequest(
        kind="score",
        **shape_of(card, size),
        n=len(files),
        condition=condition,
        per_pixel=fields.per_pixel,
        **noise(card, fields),
        upload={"images": facts},
    )
    told = fingerprint("score", fields.model_dump(), *[file for _, file in files])
    classes = names_of(card) if condition == {"each": True} else ()
    return Submission(job, told, [*blobs, *images.blobs], classes=classes)
