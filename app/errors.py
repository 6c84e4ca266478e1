"""Every error this API answers with: one closed list, published in the OpenAPI schema and at /errors.

ApiError is the only exception that routes raise on purpose. Its code decides the status; its message says what would be
right; `param` names the field, header or path parameter at fault.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Code(StrEnum):
    MALFORMED_BODY = "malformed_body"
    INVALID_HEADER = "invalid_header"
    IMAGE_UNREADABLE = "image_unreadable"
    CROSS_SITE = "cross_site"
    UNKNOWN_HOST = "unknown_host"
    NOT_FOUND = "not_found"
    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_JOB = "unknown_job"
    NOT_DRAWN_YET = "not_drawn_yet"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TIMEOUT = "body_timeout"
    JOB_EXPIRED = "job_expired"
    BODY_TOO_LARGE = "body_too_large"
    IMAGE_TOO_LARGE = "image_too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UNSUPPORTED_IMAGE = "unsupported_image"
    MISSING_FIELD = "missing_field"
    UNKNOWN_FIELD = "unknown_field"
    INVALID_FIELD = "invalid_field"
    MODEL_REFUSED = "model_refused"
    CONDITION_REQUIRED = "condition_required"
    CONDITION_NOT_TAKEN = "condition_not_taken"
    UNKNOWN_CLASS = "unknown_class"
    UNKNOWN_TAG = "unknown_tag"
    IMAGE_DOES_NOT_FIT = "image_does_not_fit"
    NOTHING_TO_DRAW = "nothing_to_draw"
    IDEMPOTENCY_KEY_REUSED = "idempotency_key_reused"
    INTERNAL = "internal"
    QUEUE_FULL = "queue_full"
    DECODING_BUSY = "decoding_busy"
    STORE_FULL = "store_full"
    STORE_UNAVAILABLE = "store_unavailable"
    NO_WORKER = "no_worker"


@dataclass(frozen=True, slots=True)
class Meaning:
    status: int
    title: str
    remedy: str


MEANINGS: Mapping[Code, Meaning] = {
    Code.MALFORMED_BODY: Meaning(400, "The body cannot be parsed", "Send valid JSON or multipart/form-data."),
    Code.INVALID_HEADER: Meaning(400, "A request header is not valid", "Correct the header that the message names."),
    Code.IMAGE_UNREADABLE: Meaning(
        400, "The image cannot be decoded", "The file is damaged or cut short; send it again, whole."
    ),
    Code.CROSS_SITE: Meaning(403, "Sent by a page of another site", "Use this service's own page, or a client."),
    Code.UNKNOWN_HOST: Meaning(
        403, "Asked for under a name that is not this service's", "Use its address, or set SCANLINE_ALLOWED_HOSTS."
    ),
    Code.NOT_FOUND: Meaning(404, "There is nothing at this address", "See /docs for the calls."),
    Code.UNKNOWN_MODEL: Meaning(404, "No such model", "GET /v1/models lists the hosted models."),
    Code.UNKNOWN_JOB: Meaning(404, "No such job", "GET /v1/jobs lists the jobs."),
    Code.NOT_DRAWN_YET: Meaning(404, "Not drawn yet", "Follow the job's events; ask again when it has succeeded."),
    Code.METHOD_NOT_ALLOWED: Meaning(
        405, "The address does not take this method", "The Allow header lists those taken."
    ),
    Code.BODY_TIMEOUT: Meaning(408, "The body stopped coming", "Send the request again, its body without long pauses."),
    Code.JOB_EXPIRED: Meaning(
        410,
        "The job has expired, was deleted, or is of another version",
        "Send the request again; same seed, same image.",
    ),
    Code.BODY_TOO_LARGE: Meaning(413, "The body is too large", "Send less; the message states the limit."),
    Code.IMAGE_TOO_LARGE: Meaning(413, "The image has too many pixels", "Scale it down; the message states the limit."),
    Code.UNSUPPORTED_MEDIA_TYPE: Meaning(
        415, "The content type is not one this call takes", "The message lists those taken."
    ),
    Code.UNSUPPORTED_IMAGE: Meaning(
        415, "Not an image this service takes", "Send a still 8-bit PNG, JPEG or WebP, greyscale or RGB."
    ),
    Code.MISSING_FIELD: Meaning(422, "A field is missing", "Add the field that the message names."),
    Code.UNKNOWN_FIELD: Meaning(422, "A field is not known", "The message lists the known ones."),
    Code.INVALID_FIELD: Meaning(422, "A field's value is not valid", "The message says which values are."),
    Code.MODEL_REFUSED: Meaning(
        422, "The model failed its admission test", "Its entry in /v1/models states the reason."
    ),
    Code.CONDITION_REQUIRED: Meaning(422, "The model needs a condition", "The message says which forms it takes."),
    Code.CONDITION_NOT_TAKEN: Meaning(422, "The model does not take this condition", "The message says what it takes."),
    Code.UNKNOWN_CLASS: Meaning(422, "The model has no such class", "The message lists the classes."),
    Code.UNKNOWN_TAG: Meaning(422, "The model has no such tag", "The message says which is near, and lists the tags."),
    Code.IMAGE_DOES_NOT_FIT: Meaning(
        422, "The image does not fit the model", "The message says which size, channels and levels do."
    ),
    Code.NOTHING_TO_DRAW: Meaning(
        422, "Every pixel is kept", "Keep fewer rows, or mark pixels to be drawn in the mask."
    ),
    Code.IDEMPOTENCY_KEY_REUSED: Meaning(
        422, "The Idempotency-Key was used for another request", "Use a new key for a new request."
    ),
    Code.INTERNAL: Meaning(500, "An error of ours", "Please report it."),
    Code.QUEUE_FULL: Meaning(503, "The queue is full", "Try again after the seconds in Retry-After."),
    Code.DECODING_BUSY: Meaning(
        503, "Too many uploaded pictures wait to be decoded", "Try again after the seconds in Retry-After."
    ),
    Code.STORE_FULL: Meaning(503, "The result store is full", "Delete jobs you no longer need, or try again later."),
    Code.STORE_UNAVAILABLE: Meaning(
        503, "The job store does not answer, or cannot write", "Try again after the seconds in Retry-After."
    ),
    Code.NO_WORKER: Meaning(503, "No worker is alive", "Try again after the seconds in Retry-After."),
}


class ApiError(Exception):
    """An answer other than success. `message` is for a person and says what would be right."""

    def __init__(
        self, code: Code, message: str, *, param: str | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param
        self.headers = dict(headers or {})

    @property
    def meaning(self) -> Meaning:
        return MEANINGS[self.code]
