"""From a request's `condition` to the protocol's: names become indexes, and a refusal says what the bundle takes."""

import difflib
from typing import Any

from app.errors import ApiError, Code
from worker.protocol import Card

EACH = "each"


def class_names(card: Card) -> list[str]:
    """The classes of a class-conditional bundle, in the order of their indexes; empty for any other."""
    conditioning = card.conditioning or {}
    return [str(name) for name in conditioning.get("names", [])] if conditioning.get("kind") == "class" else []


def resolve(card: Card, condition: Any, *, each_allowed: bool = False) -> dict[str, Any] | None:
    """`{"class": index}`, `{"each": True}` or None, checked against the card."""
    names = class_names(card)
    if not names:
        if condition is None:
            return None
        raise ApiError(
            Code.CONDITION_NOT_TAKEN, f"`{card.id}` is unconditional: leave `condition` out.", param="condition"
        )
    if condition is None:
        raise ApiError(Code.CONDITION_REQUIRED, takes(card, names, each_allowed), param="condition")
    if condition == EACH and each_allowed:
        return {"each": True}
    if not isinstance(condition, dict) or set(condition) != {"class"}:
        raise ApiError(Code.CONDITION_NOT_TAKEN, takes(card, names, each_allowed), param="condition")
    return {"class": class_index(card, names, condition["class"])}


def takes(card: Card, names: list[str], each_allowed: bool) -> str:
    each = ' or "each" (every class in turn)' if each_allowed else ""
    return f'`{card.id}` takes {{"class": name or index}}{each}; its classes are: {listed(names)}.'


def listed(names: list[str]) -> str:
    shown = ", ".join(f"{index} {name}" if name != str(index) else name for index, name in enumerate(names[:20]))
    return shown if len(names) <= 20 else f"{shown}, ... ({len(names)} in all)"


def class_index(card: Card, names: list[str], wanted: Any) -> int:
    if isinstance(wanted, str):
        folded = [name.casefold() for name in names]
        if wanted.casefold() in folded:
            return folded.index(wanted.casefold())
        near = difflib.get_close_matches(wanted.casefold(), folded, n=1)
        guess = f" Did you mean `{names[folded.index(near[0])]}`?" if near else ""
    else:
        if isinstance(wanted, int) and not isinstance(wanted, bool) and 0 <= wanted < len(names):
            return wanted
        guess = ""
    message = f"`{card.id}` has no class {wanted!r}.{guess} Its classes are: {listed(names)}."
    raise ApiError(Code.UNKNOWN_CLASS, message, param="condition.class")
