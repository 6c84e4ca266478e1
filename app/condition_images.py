"""Images that a request is conditioned on: decoded to levels here, embedded by the bundle's encoder in the worker."""

from dataclasses import dataclass, field
from typing import Any

from pydantic import ConfigDict, Field

from app.errors import ApiError, Code
from app.levels import to_levels, upload_facts
from app.request_files import from_base64
from app.request_models import UploadFields
from app.uploads import decode
from app.validation import validated
from worker.protocol import Card


class ImageCondition(UploadFields):
    model_config = ConfigDict(extra="forbid")

    image: str = Field(description="A PNG, JPEG or WebP file in base64; a data: URL is taken too.", min_length=1)


@dataclass(slots=True)
class ConditionImages:
    """Collects the levels of a request's condition images.

    Attributes:
        first_upload: how many uploads the job has of its own; these come after them.
        blobs: uint8 levels of each image, in the order in which they were taken.
    """

    card: Card
    max_pixels: int
    first_upload: int = 0
    blobs: list[bytes] = field(default_factory=list)

    def take(self, condition: dict[str, Any], param: str) -> dict[str, Any]:
        """Decode `condition`, {"image": base64} with `fit`, `levels`, `grayscale` as for any upload; what the job's
        record says of it. Raises 400, 413, 415 or 422 as for any upload; `param`: the condition's name."""
        name = f"{param}.image"
        try:
            fields = validated(ImageCondition, condition, strict=True)
        except ApiError as error:
            raise ApiError(error.code, error.message, param=f"{param}.{error.param}") from None
        upload = decode(from_base64(fields.image, name), name, self.max_pixels)
        if upload.has_holes:
            message = f"`{name}` has transparent pixels, which have no value; send an opaque image."
            raise ApiError(Code.IMAGE_DOES_NOT_FIT, message, param=name)
        size = self.card.height or upload.height, self.card.width or upload.width
        levels = to_levels(upload, self.card, size, fields.fit, fields.levels, name, fields.grayscale)
        self.blobs.append(levels.tobytes())
        facts = upload_facts(upload, fields.fit, fields.levels, fields.grayscale)
        numbers = {"numbers": (self.card.conditioning or {}).get("size", 0)}
        return {"upload": self.first_upload + len(self.blobs) - 1, **numbers, **facts}
