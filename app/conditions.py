"""From a request's `condition` to the protocol's: names are looked up, and a refusal says what the bundle takes."""

import reprlib
from collections.abc import Mapping
from typing import Any

from app.condition_images import ConditionImages
from app.condition_values import are_opposite, class_index, embedding, known_tags, listed
from app.errors import ApiError, Code
from app.given_maps import map_text
from worker.protocol import Card

EACH = "each"
MIN_STEPS = 2


def conditioning_kind(card: Card) -> str:
    return str((card.conditioning or {}).get("kind", "none"))


def resolve(
    card: Card, condition: Any, images: ConditionImages, *, each_allowed: bool = False, param: str = "condition"
) -> dict[str, Any] | None:
    """The condition as a job's record keeps it, checked against the card; None for an unconditional model.

    Images in it are decoded into `images`. `param`: the field's name, for errors.
    """
    kind = conditioning_kind(card)
    if kind == "none":
        if condition is None:
            return None
        raise ApiError(Code.CONDITION_NOT_TAKEN, f"`{card.id}` is unconditional: leave `{param}` out.", param=param)
    each_allowed = each_allowed and kind == "class"
    if condition is None:
        message = f"`{param}` is missing: {takes(card, each_allowed)}"
        raise ApiError(Code.CONDITION_REQUIRED, message, param=param)
    if condition == EACH and each_allowed:
        return {"each": True}
    form = next((form for form in forms(card) if form in condition), None) if isinstance(condition, dict) else None
    if form is None or (form not in ("image", "map") and len(condition) > 1):
        message = f"`{param}` is of another form: {takes(card, each_allowed)}"
        raise ApiError(Code.CONDITION_NOT_TAKEN, message, param=param)
    value, conditioning = condition[form], card.conditioning or {}
    match form:
        case "class":
            return {"class": class_index(card, value, f"{param}.class")}
        case "tags":
            return {"tags": known_tags(card, value, f"{param}.tags")}
        case "embedding":
            return {"embedding": embedding(card, conditioning, value, f"{param}.embedding")}
        case "map":
            return {"map": images.take_map(condition, param)}
        case _:
            return {"image": images.take(condition, param)}


def resolve_path(card: Card, path: Any, images: ConditionImages, max_steps: int) -> dict[str, Any]:
    """The field `interpolate`, {"from": condition, "to": condition, "steps": k}, as the condition of k samples."""
    if conditioning_kind(card) != "embedding":
        message = f"`interpolate` draws between embeddings, and `{card.id}` is not conditioned on embeddings."
        raise ApiError(Code.CONDITION_NOT_TAKEN, message, param="interpolate")
    if not isinstance(path, Mapping) or set(path) != {"from", "to", "steps"}:
        message = f'`interpolate` takes {{"from": condition, "to": condition, "steps": number}}. {takes(card, False)}'
        raise ApiError(Code.INVALID_FIELD, message, param="interpolate")
    steps = path["steps"]
    if not isinstance(steps, int) or isinstance(steps, bool) or not MIN_STEPS <= steps <= max_steps:
        message = (
            f"`interpolate.steps` is {reprlib.repr(steps)}; it must be {MIN_STEPS} to {max_steps}, both ends counted."
        )
        raise ApiError(Code.INVALID_FIELD, message, param="interpolate.steps")
    ends = {end: resolve(card, path[end], images, param=f"interpolate.{end}") for end in ("from", "to")}
    check_middle(card, ends, steps)
    return {"interpolate": {**ends, "steps": steps}}


def check_middle(card: Card, ends: Mapping[str, Any], steps: int) -> None:
    """Raises 422 where a path of vectors of length 1 has a step at zero; what an encoder makes of images, none knows
    before it has."""
    vectors = [end["embedding"] for end in ends.values() if "embedding" in end]
    if (card.conditioning or {}).get("normalised") and steps % 2 and len(vectors) == 2 and are_opposite(*vectors):
        message = (
            f"`interpolate` goes from an embedding to its opposite: the middle one of {steps} steps would be zero, "
            f"which has no direction, and `{card.id}` scales vectors to length 1. Give an even number of steps, or "
            "other ends."
        )
        raise ApiError(Code.INVALID_FIELD, message, param="interpolate")


def forms(card: Card) -> list[str]:
    """The members that a condition of this bundle may have."""
    kind = conditioning_kind(card)
    if kind == "embedding":
        return ["embedding", "image"] if (card.conditioning or {}).get("takes_image") else ["embedding"]
    return [] if kind == "none" else [kind]


def takes(card: Card, each_allowed: bool) -> str:
    """What the bundle takes, as one sentence or two."""
    conditioning = card.conditioning or {}
    match conditioning_kind(card):
        case "class":
            each = ' or "each" (every class in turn)' if each_allowed else ""
            return f'`{card.id}` takes {{"class": name or index}}{each}; its classes are: {listed(card)}.'
        case "tags":
            return f'`{card.id}` takes {{"tags": [names]}}, any number of them; its tags are: {listed(card)}.'
        case "map":
            return f'`{card.id}` takes {{"map": a PNG, JPEG or WebP file in base64}}: {map_text(card)}.'
        case _:
            scaled = ", which are scaled to length 1" if conditioning.get("normalised") else ""
            image = ' or {"image": a PNG, JPEG or WebP file in base64}' if conditioning.get("takes_image") else ""
            return f'`{card.id}` takes {{"embedding": [{conditioning.get("size")} numbers]}}{scaled}{image}.'
