"""Images and maps that a request is conditioned on: decoded to levels here, made numbers of in the worker."""

from dataclasses import dataclass, field
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from app.catalog import shape_text
from app.errors import ApiError, Code
from app.given_maps import check_map_size, map_card
from app.levels import Size, to_levels, upload_facts
from app.request_files import from_base64
from app.request_models import UploadFields
from app.uploads import decode
from app.validation import validated
from worker.protocol import Card

T = TypeVar("T", bound=BaseModel)


class ImageCondition(UploadFields):
    model_config = ConfigDict(extra="forbid")

    image: str = Field(description="A PNG, JPEG or WebP file in base64; a data: URL is taken too.", min_length=1)


class MapCondition(UploadFields):
    model_config = ConfigDict(extra="forbid")

    map: str = Field(description="A PNG, JPEG or WebP file in base64; a data: URL is taken too.", min_length=1)


@dataclass(slots=True)
class ConditionImages:
    """Collects the levels of a request's condition images.

    Attributes:
        size: height and width of the images that are drawn or scored.
        first_upload: how many uploads the job has of its own; these come after them.
        blobs: uint8 levels of each image, in the order in which they were taken.
    """

    card: Card
    max_pixels: int
    size: Size
    first_upload: int = 0
    blobs: list[bytes] = field(default_factory=list)

    def take(self, condition: dict[str, Any], param: str) -> dict[str, Any]:
        """Decode `condition`, {"image": base64} with `fit`, `levels`, `grayscale` as for any upload; what the job's
        record says of it. Raises 400, 413, 415 or 422 as for any upload; `param`: the condition's name."""
        fields = _fields(ImageCondition, condition, param)
        facts = self._keep(fields.image, fields, self.card, f"{param}.image")
        return {**facts, "numbers": (self.card.conditioning or {}).get("size", 0)}

    def take_map(self, condition: dict[str, Any], param: str) -> dict[str, Any]:
        """The same of {"map": base64}, which must have the size, the channels and the levels of the model's map.

        422, too, where that map is more than a worker holds."""
        fields, card = _fields(MapCondition, condition, param), map_card(self.card, self.size)
        check_map_size(self.card, self.size, f"{param}.map")
        is_labels = (self.card.conditioning or {})["what"] == "labels"
        if fields.fit == "resize" and is_labels:
            message = f"`{param}.fit` is resize, but between labels there is nothing: send {shape_text(card)}."
            raise ApiError(Code.INVALID_FIELD, message, param=f"{param}.fit")
        return self._keep(fields.map, fields, card, f"{param}.map", is_resizable=not is_labels)

    def _keep(
        self, text: str, fields: UploadFields, card: Card, name: str, is_resizable: bool = True
    ) -> dict[str, Any]:
        """Decode a file to the levels of a card; what is said of it."""
        upload = decode(from_base64(text, name), name, self.max_pixels)
        if upload.has_holes:
            message = f"`{name}` has transparent pixels, which have no value; send an opaque image."
            raise ApiError(Code.IMAGE_DOES_NOT_FIT, message, param=name)
        size = card.height or upload.height, card.width or upload.width
        try:
            levels = to_levels(upload, card, size, fields.fit, fields.levels, name, fields.grayscale, is_resizable)
        except ApiError as error:
            # The member beside the file, not the request's own field of that name.
            within = f"{name.rpartition('.')[0]}.grayscale" if error.param == "grayscale" else error.param
            raise ApiError(error.code, error.message, param=within) from None
        self.blobs.append(levels.tobytes())
        facts = upload_facts(upload, fields.fit, fields.levels, fields.grayscale)
        return {"upload": self.first_upload + len(self.blobs) - 1, **facts}


def texts_in(*conditions: Any) -> list[str]:
    """The files in base64 that conditions, or the ends of a path, may have: what is to be decoded, if it is taken."""
    ends = [end for path in conditions if isinstance(path, dict) for end in (path, path.get("from"), path.get("to"))]
    held = [end.get(name) for end in ends if isinstance(end, dict) for name in ("image", "map")]
    return [text for text in held if isinstance(text, str)]


def _fields(kind: type[T], condition: dict[str, Any], param: str) -> T:
    """Its members, checked; errors name them as members of `param`."""
    try:
        return validated(kind, condition, strict=True)
    except ApiError as error:
        raise ApiError(error.code, error.message, param=f"{param}.{error.param}") from None
