"""POST /v1/samples: draw images."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from app import catalog
from app.condition_images import texts_in
from app.job_request import sample_request
from app.openapi import SUBMIT_ANSWERS, SUBMIT_CODES, UPLOAD_CODES, body, problem_responses, submit_extra
from app.request_body import JSON, read_body
from app.request_models import SampleFields
from app.services import WithServices
from app.submit import Submission, fingerprint, submit
from app.validation import validated

router = APIRouter(prefix="/v1", tags=["Ask"])

EXAMPLE = {"model": "gated-pixelcnn-mnist", "n": 4, "seed": 7, "condition": {"class": 3}}


@router.post(
    "/samples",
    summary="Draw images",
    status_code=202,
    responses=SUBMIT_ANSWERS | problem_responses(*SUBMIT_CODES, *UPLOAD_CODES),
    openapi_extra=submit_extra({JSON: body(SampleFields, EXAMPLE)}),
)
async def post_samples(request: Request, services: WithServices) -> Response:
    """Sample k of a seed is the same image whatever `n` is, alone or in a batch, and after a restart.

    What `condition` a model takes, its `conditioning` says: `{"class": 3}`, `{"tags": ["heart", "noto"]}`,
    `{"embedding": [0.1, ...]}`, or `{"image": "iVBORw0..."}`, which the model's own encoder embeds: with an
    auto-encoder, `n` reconstructions of it, all different. `{"map": "iVBORw0..."}` is a small image that is to be drawn
    larger, or labels of its pixels.

    `interpolate` draws a path instead, `{"from": condition, "to": condition, "steps": 8}`: one image a step, all with
    the random numbers of sample 0, so that nothing but the condition differs between them.
    """
    fields = validated(SampleFields, (await read_body(request, {JSON})).fields, strict=True)
    card = catalog.find_admitted(await run_in_threadpool(services.records.published), fields.model)
    if pictures := texts_in(fields.condition, fields.interpolate):
        job, uploads = await services.decoding.run(pictures, sample_request, card, fields, services.settings)
    else:
        job, uploads = sample_request(card, fields, services.settings)
    return await submit(request, services, Submission(job, fingerprint("sample", fields.model_dump()), uploads))
