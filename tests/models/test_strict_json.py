from dataclasses import dataclass
from typing import Literal

import pytest

from models.strict_json import FieldError, as_json, parse


@dataclass(frozen=True, slots=True)
class Square:
    kind: Literal["square"]
    side: int


@dataclass(frozen=True, slots=True)
class Circle:
    kind: Literal["circle"]
    radius: float


@dataclass(frozen=True, slots=True)
class Drawing:
    name: str
    is_done: bool
    scale: float
    points: tuple[int, ...]
    shape: Square | Circle | Literal["none"]
    note: str | None = None


GOOD = {"name": "a", "is_done": True, "scale": 2, "points": [1, 2], "shape": {"kind": "circle", "radius": 1.5}}


def test_a_whole_object_is_read_and_written_back() -> None:
    drawing = parse(Drawing, GOOD)
    assert drawing == Drawing("a", True, 2.0, (1, 2), Circle("circle", 1.5))
    assert parse(Drawing, as_json(drawing)) == drawing
    assert "note" not in as_json(drawing)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"colour": 1}, "unknown field colour; there are name, is_done"),
        ({"\ud800": 1}, r"unknown field '\\ud800'; there are name"),
        ({"x" * 1000: 1}, r"unknown field 'x{56}\.\.\.; there are name"),
        ({"name": 1}, "name must be a string, not 1"),
        ({"name": "\ud800"}, r"name must be text that UTF-8 can hold, not '\\ud800'"),
        ({"is_done": 1}, "is_done must be true or false, not 1"),
        ({"scale": "2"}, "scale must be a number, not '2'"),
        ({"scale": float("nan")}, "scale must be finite, not nan"),
        ({"scale": 10**400}, "scale must be a number of 64 bits, not 1000"),
        ({"points": [2**63]}, r"points\[0\] must be a number of 64 bits, not 9223372036854775808"),
        ({"points": 3}, "points must be a list, not 3"),
        ({"points": [1, True]}, r"points\[1\] must be an integer, not True"),
        ({"points": [1, 2.0]}, r"points\[1\] must be an integer, not 2.0"),
        ({"shape": "oval"}, "shape must be 'none', not 'oval'"),
        ({"shape": {"kind": "circle", "radius": "big"}}, "shape.radius must be a number, not 'big'"),
        ({"shape": {"kind": "square", "side": None}}, "shape.side must be an integer, not None"),
        ({"shape": {"kind": "circle"}}, "field shape.radius is missing"),
        ({"shape": {"kind": "oval"}}, "shape.kind must be 'square' or 'circle', not 'oval'"),
        ({"shape": {"kind": ["circle"]}}, "shape.kind must be"),
        ({"note": 1}, "note must be a string, not 1"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(change: dict[str, object], reason: str) -> None:
    with pytest.raises(FieldError, match=reason):
        parse(Drawing, GOOD | change)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(FieldError, match="field scale is missing"):
        parse(Drawing, {name: value for name, value in GOOD.items() if name != "scale"})


@pytest.mark.parametrize("value", [None, 3, [], "text"])
def test_anything_but_an_object_is_refused(value: object) -> None:
    with pytest.raises(FieldError, match="must be an object"):
        parse(Drawing, value)


def test_a_field_whose_type_another_field_decides_is_read_as_told() -> None:
    @dataclass(frozen=True)
    class Named:
        name: str
        shape: Square | Circle

    document = {"shape": {"kind": "circle", "radius": 2}, "name": "a"}
    assert parse(Named, document, types={"shape": Circle}) == Named("a", Circle("circle", 2.0))
    with pytest.raises(FieldError, match="name must be a string"):
        parse(Named, {"shape": 1, "name": 1}, types={"shape": Circle})
