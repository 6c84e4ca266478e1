"""The shapes of JSON answers, as the OpenAPI schema publishes them."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.errors import Code
from worker.protocol import Kind, Precision, State


class Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ErrorMember(Answer):
    message: str
    type: Literal["invalid_request_error", "server_error"]
    param: str | None = Field(description="The field, header or path parameter at fault.")
    code: Code


class Problem(Answer):
    """RFC 9457 problem+json; `error` inside has the shape that OpenAI clients read."""

    type: str = Field(description="Address of the error's description.", examples=["/errors#unknown_model"])
    title: str
    status: int
    detail: str
    error: ErrorMember


class JobError(Answer):
    code: str = Field(description="worker_lost, model_unavailable, model_changed, engine_failed or internal.")
    message: str


class ProgressSummary(Answer):
    done: int = Field(description="Pixels drawn or scored so far, over all images, margins and coarse images.")
    total: int


class ProgressView(ProgressSummary):
    rows: list[int] = Field(description="Finished rows of each image.")


class RequestSummary(Answer):
    n: int
    seed: int | None = None
    temperature: float | None = None
    precision: Precision | None = None
    height: int
    width: int
    channels: int
    num_levels: int = Field(description="0 for a density.")
    margin: int | None = Field(None, description="Samples: rows and columns that are drawn and cut off.")
    clip: list[float] | None = Field(None, description="Densities: drawn pixels were clipped to these.")
    draws: int | None = Field(None, description="Scores of a density: noises averaged over.")
    rows: int | None = Field(None, description="Completions by rows: how many are kept.")
    sweeps: int | None = Field(None, description="Completions: sweeps over the hole after it was drawn once; 0: none.")
    conditioning: Literal["exact", "causal_only", "posterior"] | None = Field(
        None,
        description="Completions. exact: everything to be drawn comes after everything kept, in raster order. "
        "causal_only: known pixels below or right of a hole cannot influence it; or the model first draws a coarse "
        "image, which is told only of the known pixels on its grid. posterior: by `sweeps`, every known pixel does.",
    )
    per_pixel: bool | None = None


class RequestView(RequestSummary):
    """What was asked for, with everything that was left open filled in."""

    condition: dict[str, Any] | None = Field(
        None,
        description='{"class": index}, {"tags": [names]}, {"embedding": [numbers]}, {"image": facts of the file}, '
        '{"map": facts of the file}, {"interpolate": {"from", "to", "steps"}}, {"each": true} or null.',
    )
    upload: dict[str, Any] | None = Field(None, description="Facts about the uploaded files.")


class LinksSummary(Answer):
    self: str
    events: str
    cancel: str
    zip: str | None = None
    npy: str | None = None
    grid: str | None = None


class Links(LinksSummary):
    images: list[str] | None = None
    maps: list[str] | None = None


class JobSummary(Answer):
    """A job in a list: without whatever grows with its images or its condition, which the job at `links.self` has."""

    id: str
    object: Literal["job"] = "job"
    kind: Kind
    state: State
    model: str
    attempt: int = Field(description="How many times a worker has begun or resumed this job.")
    queue_position: int | None = Field(description="Jobs ahead in the model's queue; null unless queued.")
    cancel_requested: bool
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime
    request: RequestSummary
    progress: ProgressSummary
    error: JobError | None
    links: LinksSummary


class JobView(JobSummary):
    """A job with all that is known of it."""

    request: RequestView
    progress: ProgressView
    links: Links
    result: list[dict[str, Any]] = Field(
        description="One entry for each finished image, in order of `sample`: `log_prob` in nats, `bits_per_dim`, and "
        "the `receipt` by which it can be made again. Of a density (`kind`: density) instead of these two "
        "`density_bits_per_pixel`, in bit/px of a density, higher is better: no number to set beside them. Completions "
        "add their `conditioning`, and `drawn_log_prob` (nats) or `drawn_density_bits_per_pixel`: of the drawn pixels "
        "given the kept. Those with `sweeps` instead of it `acceptance_rate`, the share (0 to 1) of proposals "
        "that were accepted, and `trace`, sweeps + 1 numbers: the image's `log_prob` (nats), or "
        "`density_bits_per_pixel`, after the hole was first drawn and after each sweep. Their likelihood is that of "
        "the last image."
    )


class JobList(Answer):
    object: Literal["list"] = "list"
    data: list[JobSummary]
    next_cursor: str | None = Field(description="Give it as `cursor` for the next page; null on the last.")


class Likelihood(Answer):
    kind: Literal["exact", "bound", "density"] = Field(
        description="bound: `log_prob` is at most that of the image, and bits/dim at least; it counts one "
        "of the coarse images that the model may have drawn the image after."
    )
    unit: Literal["nats", "bit/px of a density"] = Field(
        description="A density's unit is log2 p a pixel, for pixels scaled to [0, 1): higher is better, and it may not "
        "stand beside the nats and bits/dim of a model of levels."
    )
    dequantisation: Literal["uniform"] | None = Field(
        description="uniform: a pixel of the density is a byte plus noise uniform on [0, 1). Null for levels."
    )
    percentiles: list[float] | None = Field(
        description="Densities: the 0.1 and 99.8 percentiles of the training pixels, noise included."
    )


class ModelView(Answer):
    id: str
    object: Literal["model"] = "model"
    created: int = Field(description="Seconds since 1970 at which the weights were trained; 0 if not recorded.")
    owned_by: Literal["scanline"] = "scanline"
    status: Literal["admitted", "refused"]
    reason: str | None = Field(description="Why a refused model is not served.")
    title: str
    description: str
    architecture: str
    sha256: str
    image: dict[str, Any] = Field(description="height and width (null: any), channels, num_levels (0: a density).")
    likelihood: Likelihood | None = Field(description="What its scores are; null for a refused model.")
    head: str
    conditioning: dict[str, Any] = Field(
        description='{"kind": "none"}; {"kind": "class" or "tags", "names": [...]}; {"kind": "embedding", "size", '
        '"normalised", "takes_image"}: how many numbers, whether they are scaled to length 1, and whether the model '
        'has an encoder that makes them of an image; or {"kind": "map", "what": "image" or "labels", "level", '
        '"channels", "num_levels"}: an image or labels (then with "names", by level), a place for every 2^level x '
        '2^level pixels, with the map\'s "height" and "width" where the model draws one size.'
    )
    evaluation: dict[str, Any] | None = Field(description="Measured likelihood on the test set.")
    training: dict[str, Any] | None
    pixels_per_second: float | None = Field(description="Measured by the worker, all cores and slots together.")
    profile: str = Field(description="Numeric profile of float32: results are bitwise equal within one.")
    precisions: list[Precision] = Field(description="What `precision` may ask for.")
    loaded: bool


class ModelList(Answer):
    object: Literal["list"] = "list"
    data: list[ModelView]


class Health(Answer):
    status: Literal["ok"] = "ok"


class Readiness(Answer):
    status: Literal["ready"] = "ready"
    workers: int
    models: list[str] = Field(description="Ids of the admitted models.")
