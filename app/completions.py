"""POST /v1/completions: draw what is missing from an image."""

import hashlib
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from app import catalog
from app.condition_images import ConditionImages, texts_in
from app.errors import ApiError, Code
from app.job_request import drawing, image_size, shape_of
from app.levels import Size, to_levels, upload_facts
from app.masks import fitted, kept_by_alpha, kept_by_mask
from app.openapi import SUBMIT_ANSWERS, SUBMIT_CODES, UPLOAD_CODES, body, problem_responses, submit_extra
from app.posterior import check_sweeps
from app.request_body import MULTIPART, read_body
from app.request_files import the_files
from app.request_models import CompletionFields, form_fields
from app.services import WithServices
from app.settings import Settings
from app.submit import Submission, fingerprint, submit
from app.uploads import Upload, decode
from app.validation import validated
from worker.protocol import Card, JobRequest, conditioning_of

router = APIRouter(prefix="/v1", tags=["Ask"])

EXAMPLE = {"model": "gated-pixelcnn-mnist", "image": "@digit.png", "rows": 14, "n": 4, "condition": '{"class": 3}'}
FILES: dict[str, Any] = {
    "image": {"type": "string", "format": "binary", "description": "The image: PNG, JPEG or WebP."},
    "mask": {
        "type": "string",
        "format": "binary",
        "description": "An image of the same size: transparent or dark (0) is drawn, light is kept. "
        "Without `rows` and `mask`, the image's own transparent pixels are drawn.",
    },
}


@router.post(
    "/completions",
    summary="Complete an image",
    status_code=202,
    responses=SUBMIT_ANSWERS | problem_responses(*SUBMIT_CODES, *UPLOAD_CODES, Code.NOTHING_TO_DRAW),
    openapi_extra=submit_extra({MULTIPART: body(CompletionFields, EXAMPLE, FILES)}),
)
async def post_completions(request: Request, services: WithServices) -> Response:
    """Keeps `rows` rows from the top, or what `mask` marks, and draws the rest `n` times.

    `request.conditioning` of the answer says `exact` when everything drawn comes after everything kept in raster order,
    else `causal_only`: pixels kept below or right of a hole cannot influence it. With `sweeps` they do: `posterior`.

    - `exact`: rows below kept ones, or a hole that ends the raster. One pass draws from p(rest | kept).
    - `causal_only`: any other hole in one pass. A quick look, with seams where the hole meets what is kept behind it.
    - `posterior`: any hole of a model whose likelihood is exact or a density, by `sweeps` of Metropolis within Gibbs.
      Each result has the `trace` of its Markov chain (log-likelihood of the image after the start and after each
      sweep) and its `acceptance_rate`: traces that still climb, or keep apart from each other, want more `sweeps`.

    The example's `digit.png` is any image that the model takes, such as one that it drew (`images/0` of a job).
    """
    sent = await read_body(request, {MULTIPART}, max_files=2)
    fields = validated(CompletionFields, form_fields(sent), strict=False)
    files = the_files(sent, required="image", optional="mask")
    card = catalog.find_admitted(await run_in_threadpool(services.records.published), fields.model)
    ask = Asked(card, fields, services.settings)
    pictures: list[bytes | str] = [*files.values(), *texts_in(fields.condition)]
    submission = await services.decoding.run(pictures, ask.submission, files["image"], files.get("mask"))
    return await submit(request, services, submission)


@dataclass(frozen=True, slots=True)
class Asked:
    """A completion whose files are still to be decoded; a matter of milliseconds, in a thread."""

    card: Card
    fields: CompletionFields
    settings: Settings

    def submission(self, image_file: bytes, mask_file: bytes | None) -> Submission:
        image = decode(image_file, "image", self.settings.max_upload_pixels)
        size = image_size(self.card, image.height, image.width, self.settings, "image")
        fields = self.fields
        levels = to_levels(image, self.card, size, fields.fit, fields.levels, "image", fields.grayscale)
        mask = self.mask(image, mask_file, size)
        if fields.sweeps:
            check_sweeps(self.card, fields, self.settings, size, mask)
        images = ConditionImages(self.card, self.settings.max_upload_pixels, size, first_upload=1)
        job = JobRequest(
            kind="completion",
            **shape_of(self.card, size),
            **drawing(self.card, self.fields, self.settings, images),
            known_rows=self.fields.rows,
            has_mask=mask is not None,
            sweeps=fields.sweeps,
            upload=self.facts(image, mask_file, mask),
        )
        files = (image_file,) if mask_file is None else (image_file, mask_file)
        uploads = [levels.tobytes(), *images.blobs]
        return Submission(job, fingerprint("completion", self.fields.model_dump(), *files), uploads, mask)

    def mask(self, image: Upload, mask_file: bytes | None, size: Size) -> bytes | None:
        """The mask blob, or None when rows say what is kept. Exactly one of the ways must be taken."""
        if self.fields.rows is not None:
            self.check_rows(self.fields.rows, size[0], mask_file)
            return None
        if mask_file is not None:
            mask = decode(mask_file, "mask", self.settings.max_upload_pixels)
            return fitted(kept_by_mask(mask), image, size, self.fields.fit, "mask")
        if image.has_holes:
            return fitted(kept_by_alpha(image), image, size, self.fields.fit, "image")
        message = "Say what to draw: `rows` (how many are kept), a `mask`, or transparent pixels in `image`."
        raise ApiError(Code.MISSING_FIELD, message, param="rows")

    def facts(self, image: Upload, mask_file: bytes | None, mask: bytes | None) -> dict[str, Any]:
        """For the receipt. Rows kept from the top always leave a suffix of the raster."""
        kept = b"\1\0" if mask is None else mask
        facts = upload_facts(image, self.fields.fit, self.fields.levels, self.fields.grayscale)
        if mask_file is not None:
            facts["mask_sha256"] = hashlib.sha256(mask_file).hexdigest()
        ancestral = conditioning_of(kept, self.card.coarse_level > 0)
        return {**facts, "conditioning": "posterior" if self.fields.sweeps else ancestral}

    def check_rows(self, rows: int, height: int, mask_file: bytes | None) -> None:
        if mask_file is not None:
            raise ApiError(Code.INVALID_FIELD, "Give `rows` or `mask`, not both.", param="rows")
        if rows >= height:
            message = f"`rows` keeps {rows} of {height} rows; 0 to {height - 1} leave something to draw."
            raise ApiError(Code.NOTHING_TO_DRAW, message, param="rows")
