"""The map that a model is told, as its card describes it: a small image, or a label of every pixel."""

import dataclasses
import math

from app.catalog import shape_text
from app.condition_values import listed
from app.errors import ApiError, Code
from app.levels import Size, value_list
from worker.protocol import MAX_MAP_NUMBERS, Card, map_size


def check_map_size(card: Card, size: Size, param: str) -> None:
    """Raises 422 where the map of an image of that size is more than a worker holds."""
    told = card.conditioning or {}
    rows, columns, numbers = map_size(told, *size)
    most = MAX_MAP_NUMBERS // numbers
    if rows * columns > most:
        side = math.isqrt(most) << told["level"]
        message = (
            f"`{card.id}` is told {numbers} numbers at each of the {columns}x{rows} places of the map of an image of "
            f"{size[1]}x{size[0]} pixels, which is too large: {most} places are taken, as an image of {side}x{side} "
            "pixels has."
        )
        raise ApiError(Code.INVALID_FIELD, message, param=param)


def map_card(card: Card, size: Size | None) -> Card:
    """A card of the maps that belong to images of a size (height, width), or of any, as if the model drew them."""
    told = card.conditioning or {}
    height, width = (None, None) if size is None else map_size(told, *size)[:2]
    return dataclasses.replace(
        card, height=height, width=width, channels=told["channels"], num_levels=told["num_levels"], pixels=None
    )


def map_text(card: Card) -> str:
    """What is taken, as a part of a sentence."""
    told = card.conditioning or {}
    shape = shape_text(map_card(card, None if card.height is None or card.width is None else (card.height, card.width)))
    if told["what"] == "image":
        size = f"the image {2 ** told['level']} times smaller" if told["level"] else "an image of the same size"
        return f"{size}, {shape}"
    zoom = "pixel" if not told["level"] else f"{2 ** told['level']}x{2 ** told['level']} pixels"
    return f"a label of every {zoom}, {shape}; the values {value_list(told['num_levels'])} stand for {listed(card)}"
