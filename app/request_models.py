"""The fields of the three POSTs. What depends on the model or on the settings is checked after, by `job_request`."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, FailFast, Field

from app.condition_schemas import CONDITION, CONDITION_HELP, CONDITION_OR_EACH, PATH
from app.errors import ApiError, Code
from app.levels import Fit, Levels
from app.request_body import Body, parse_json
from worker.protocol import Precision

EACH_HELP = CONDITION_HELP + ' "each" scores under every class in turn and adds p(class given image).'


class Fields(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    model: str = Field(description="Id of a hosted model, as GET /v1/models lists them.", min_length=1, max_length=200)


class DrawFields(Fields):
    n: int = Field(1, ge=1, description="How many images; sample k is the same whatever n is.")
    seed: int | None = Field(None, ge=0, le=2**64 - 1, description="Drawn at random and reported when absent.")
    temperature: float = Field(
        1.0, ge=0.01, description="p^(1/T), renormalised over the levels: below 1 safer, above 1 wilder."
    )
    condition: Any = Field(None, description=CONDITION_HELP, json_schema_extra=CONDITION)
    precision: Precision = Field(
        "float32",
        description="bfloat16 rounds the weights: about twice as fast, another image of nearly the same distribution, "
        "and offered only where a model's `precisions` list it.",
    )
    clip: bool = Field(
        False,
        description="Densities only: clip every pixel to the 0.1 and 99.8 percentiles of the training pixels as it is "
        "drawn, as the authors of RIDE did to keep textures stable. Such an image is no sample of the model.",
    )


class SampleFields(DrawFields):
    height: int | None = Field(None, ge=1, description="Rows; needed only for a model that takes any size.")
    width: int | None = Field(None, ge=1, description="Columns; needed only for a model that takes any size.")
    interpolate: Any = Field(
        None,
        description='Instead of `condition` and `n`: {"from": condition, "to": condition, "steps": k} draws k images '
        "on the straight path between two embeddings, all with the same random numbers.",
        json_schema_extra=PATH,
    )
    margin: int | None = Field(
        None,
        ge=0,
        le=128,
        description="Models of any size only: so many rows above, and columns at either side, are drawn too and cut "
        "off, so that the edge of the image does not show. 8 for a density when absent, else 0; at 0 the image is a "
        "sample of exactly that size. The likelihood that is told is that of all that was drawn.",
    )


class UploadFields(BaseModel):
    fit: Fit = Field("reject", description="What to do with an image of another size than the model's.")
    levels: Levels = Field("reject", description="What to do with values between the model's levels.")
    grayscale: bool = Field(False, description="Turn colour into grey (ITU-R 601 luma) for a model of grey images.")


class CompletionFields(UploadFields, DrawFields):
    rows: int | None = Field(None, ge=0, description="How many rows from the top are kept; the rest is drawn.")
    sweeps: int = Field(
        0,
        ge=0,
        description="For a hole with kept pixels below or right of it. 0 draws it once, blind to those. Above 0, so "
        "many sweeps of Metropolis within Gibbs follow, each a proposal for every part of the hole, accepted or not by "
        "the exact likelihood ratio: the image comes from the posterior given all kept pixels, the better the more "
        "sweeps. `n` then counts independent Markov chains.",
    )


class ScoreFields(UploadFields, Fields):
    condition: Any = Field(None, description=EACH_HELP, json_schema_extra=CONDITION_OR_EACH)
    per_pixel: bool = Field(False, description="Also keep a map of log p over the image (PNG and numbers).")
    seed: int | None = Field(
        None,
        ge=0,
        le=2**64 - 1,
        description="Densities only: of the noise that is added to bytes. Drawn at random and reported when absent.",
    )
    draws: int | None = Field(
        None, ge=1, le=32, description="Densities only: how many noises to average over; 1 when absent."
    )


class ScoreJsonFields(ScoreFields):
    images: Annotated[list[str], FailFast()] = Field(
        min_length=1, description="The images, each a PNG, JPEG or WebP file in base64; a data: URL is taken too."
    )


def form_fields(body: Body) -> dict[str, Any]:
    """A form's fields, its `condition` read from JSON text; the bare word `each` needs no quotes."""
    fields = dict(body.fields)
    for name in {"image", "mask"} & fields.keys():
        message = f"`{name}` came as text; send it as a file: -F {name}=@picture.png, with the @."
        raise ApiError(Code.INVALID_FIELD, message, param=name)
    condition = fields.get("condition")
    if isinstance(condition, str) and condition != "each":
        fields["condition"] = parse_json(condition, "condition")
    return fields
