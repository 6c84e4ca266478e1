"""Conditions that are plain values: a class, tags, an embedding."""

import difflib
import math
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from app.errors import ApiError, Code
from worker.protocol import Card

# Beyond it float32 sums in a model may overflow.
MAX_NUMBER = 1e6
MAX_LISTED = 20
# A vector that is shorter has no direction. A worker says so below 1e-5, of numbers that may differ by as much.
NO_DIRECTION = 3e-5
# Longer names are told shortened, and no nearest one is looked for beyond it.
MAX_NAME = 100


def names_of(card: Card) -> list[str]:
    """Classes or tags, in the order of their places; empty for a bundle that has neither."""
    return [str(name) for name in (card.conditioning or {}).get("names", [])]


def listed(card: Card) -> str:
    names, is_class = names_of(card), (card.conditioning or {}).get("kind") == "class"
    told = [f"{index} {name}" if is_class and name != str(index) else name for index, name in enumerate(names)]
    shown = ", ".join(told[:MAX_LISTED])
    return shown if len(names) <= MAX_LISTED else f"{shown}, ... ({len(names)} in all)"


def places_of(names: Sequence[str], wanted: Sequence[str]) -> list[int | None]:
    """Of names as they are written, or else in whatever case; None of one that is unknown."""
    exact: dict[str, int] = {}
    folded: dict[str, int] = {}
    for index, name in enumerate(names):
        exact[name] = index
        folded.setdefault(name.casefold(), index)
    return [exact.get(name, folded.get(name.casefold())) for name in wanted]


def guess(names: Sequence[str], wanted: str) -> str:
    """The nearest known name, as a question; empty if none is near."""
    folded = [name.casefold() for name in names]
    near = difflib.get_close_matches(wanted[:MAX_NAME].casefold(), folded, n=1)
    return f" Did you mean `{names[folded.index(near[0])]}`?" if near else ""


def class_index(card: Card, wanted: Any, param: str) -> int:
    names, hint, shown = names_of(card), "", reprlib.repr(wanted)
    if isinstance(wanted, str):
        if (index := places_of(names, [wanted])[0]) is not None:
            return index
        hint, shown = guess(names, wanted), repr(wanted[:MAX_NAME])
    elif isinstance(wanted, int) and not isinstance(wanted, bool) and 0 <= wanted < len(names):
        return wanted
    message = f"`{card.id}` has no class {shown}.{hint} Its classes are: {listed(card)}."
    raise ApiError(Code.UNKNOWN_CLASS, message, param=param)


def known_tags(card: Card, wanted: Any, param: str) -> list[str]:
    """The tags by their own names, each once, in the order of their places."""
    names = names_of(card)
    if not isinstance(wanted, list) or not all(isinstance(tag, str) for tag in wanted):
        raise ApiError(Code.INVALID_FIELD, f"`{param}` must be a list of names of tags.", param=param)
    if len(wanted) > len(names):
        message = f"`{param}` has {len(wanted)} tags; `{card.id}` knows {len(names)}."
        raise ApiError(Code.INVALID_FIELD, message, param=param)
    known: set[int] = set()
    for tag, index in zip(wanted, places_of(names, wanted), strict=True):
        if index is None:
            message = f"`{card.id}` has no tag {tag[:MAX_NAME]!r}.{guess(names, tag)} Its tags are: {listed(card)}."
            raise ApiError(Code.UNKNOWN_TAG, message, param=param)
        known.add(index)
    return [names[index] for index in sorted(known)]


def embedding(card: Card, conditioning: Mapping[str, Any], wanted: Any, param: str) -> list[float]:
    size = int(conditioning.get("size", 0))
    if not isinstance(wanted, list):
        message = f"`{param}` must be a list of {size} numbers for `{card.id}`."
        raise ApiError(Code.INVALID_FIELD, message, param=param)
    if len(wanted) != size:
        message = f"`{param}` has {len(wanted)} numbers; `{card.id}` takes {size}."
        raise ApiError(Code.INVALID_FIELD, message, param=param)
    for index, number in enumerate(wanted):
        if not is_number(number):
            numbers = f"numbers from {-MAX_NUMBER:g} to {MAX_NUMBER:g}"
            message = f"`{param}.{index}` is {reprlib.repr(number)}; {numbers} are taken."
            raise ApiError(Code.INVALID_FIELD, message, param=f"{param}.{index}")
    vector = [float(number) for number in wanted]
    if conditioning.get("normalised") and math.hypot(*vector) < 1e-5:
        message = (
            f"`{param}` is zero, which has no direction; `{card.id}` takes a vector that can be scaled to length 1."
        )
        raise ApiError(Code.INVALID_FIELD, message, param=param)
    return vector


def are_opposite(first: Sequence[float], last: Sequence[float]) -> bool:
    """Whether half-way between their directions there is none: the middle of a path of unit vectors would be zero."""
    middle = (a / math.hypot(*first) + b / math.hypot(*last) for a, b in zip(first, last, strict=True))
    return math.hypot(*middle) / 2 < NO_DIRECTION


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MAX_NUMBER
