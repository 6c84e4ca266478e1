"""JSON schemas of conditions, for the OpenAPI document; `app.conditions` checks them, for it knows the model."""

from typing import Any, get_args

from app.levels import Fit, Levels

CLASS_CONDITION: dict[str, Any] = {
    "type": "object",
    "properties": {"class": {"anyOf": [{"type": "string"}, {"type": "integer"}]}},
    "required": ["class"],
    "additionalProperties": False,
}
TAGS_CONDITION: dict[str, Any] = {
    "type": "object",
    "properties": {"tags": {"type": "array", "items": {"type": "string"}}},
    "required": ["tags"],
    "additionalProperties": False,
}
EMBEDDING_CONDITION: dict[str, Any] = {
    "type": "object",
    "properties": {"embedding": {"type": "array", "items": {"type": "number"}}},
    "required": ["embedding"],
    "additionalProperties": False,
}
IMAGE_CONDITION: dict[str, Any] = {
    "type": "object",
    "properties": {
        "image": {"type": "string", "contentEncoding": "base64", "description": "A PNG, JPEG or WebP file."},
        "fit": {"enum": list(get_args(Fit)), "default": "reject"},
        "levels": {"enum": list(get_args(Levels)), "default": "reject"},
        "grayscale": {"type": "boolean", "default": False},
    },
    "required": ["image"],
    "additionalProperties": False,
}
MAP_CONDITION: dict[str, Any] = {
    "type": "object",
    "properties": {"map": IMAGE_CONDITION["properties"]["image"]}
    | {name: IMAGE_CONDITION["properties"][name] for name in ("fit", "levels", "grayscale")},
    "required": ["map"],
    "additionalProperties": False,
}
CONDITIONS = [CLASS_CONDITION, TAGS_CONDITION, EMBEDDING_CONDITION, IMAGE_CONDITION, MAP_CONDITION]
# A black image of 28x28 pixels.
_BLACK = "iVBORw0KGgoAAAANSUhEUgAAABwAAAAcCAAAAABXZoBIAAAAFElEQVR4nGNgGAWjYBSMglEwCoYTAAAHmAABtZGUxAAAAABJRU5ErkJggg=="
EXAMPLES: list[dict[str, Any]] = [
    {"class": 3},
    {"tags": ["heart", "noto"]},
    {"embedding": [0.6, 0.0, -0.8]},
    {"image": _BLACK, "fit": "resize", "levels": "threshold"},
    {"map": _BLACK, "fit": "resize"},
]
CONDITION: dict[str, Any] = {"anyOf": [*CONDITIONS, {"type": "null"}], "examples": EXAMPLES}
CONDITION_OR_EACH: dict[str, Any] = {
    "anyOf": [*CONDITIONS, {"const": "each"}, {"type": "null"}],
    "examples": ["each", *EXAMPLES],
}
PATH: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "properties": {
                "from": {"anyOf": [EMBEDDING_CONDITION, IMAGE_CONDITION]},
                "to": {"anyOf": [EMBEDDING_CONDITION, IMAGE_CONDITION]},
                "steps": {"type": "integer", "minimum": 2},
            },
            "required": ["from", "to", "steps"],
            "additionalProperties": False,
        },
        {"type": "null"},
    ],
    "examples": [{"from": {"image": _BLACK}, "to": {"embedding": [0.6, 0.0, -0.8]}, "steps": 8}],
}
CONDITION_HELP = (
    'What the image is conditioned on, as the model\'s card says: {"class": name or index}, {"tags": names}, '
    '{"embedding": numbers}, {"image": base64}, which the model\'s encoder embeds, or {"map": base64}, a small image '
    'to be drawn larger or labels of its pixels; "fit", "levels" and "grayscale" beside a file mean what they do for '
    "an upload."
)
