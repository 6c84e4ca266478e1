"""JSON values into frozen dataclasses, strictly: no unknown field, no missing one, no value of another type."""

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


class FieldError(ValueError):
    """A value that is not what its field takes; the message begins with the field's path."""


def parse(cls: type[T], value: object, path: str = "", types: Mapping[str, type] | None = None) -> T:
    """The dataclass `cls` from a JSON object, its fields looked at in the order of their declaration.

    `types` overrides what some fields are declared as, for those whose type another field decides; dict takes any
    object as it is.
    Field types may be dataclasses, str (of Unicode), bool, int (of 64 bits), float (finite; integers pass),
    `tuple[X, ...]`, `Literal` and unions of these; a field with a default may be absent.

    Raises:
        FieldError: names the field and says what it takes.
    """
    if not isinstance(value, dict):
        raise FieldError(f"{path or 'the file'} must be an object, not {_shown(value)}")
    fields = {f.name: f for f in dataclasses.fields(typing.cast(Any, cls))}
    if unknown := sorted(set(value) - set(fields)):
        raise FieldError(f"unknown field {_join(path, _name(unknown[0]))}; there are {', '.join(fields)}")
    if missing := [n for n, f in fields.items() if n not in value and f.default is dataclasses.MISSING]:
        raise FieldError(f"field {_join(path, missing[0])} is missing")
    hints = {**typing.get_type_hints(cls), **(types or {})}
    return cls(**{name: _value(hints[name], value[name], _join(path, name)) for name in fields if name in value})


def as_json(instance: object) -> dict[str, Any]:
    """The inverse of `parse`: a JSON object; fields that are None are left out."""
    return {
        f.name: _plain(getattr(instance, f.name))
        for f in dataclasses.fields(typing.cast(Any, instance))
        if getattr(instance, f.name) is not None
    }


def _plain(value: object) -> Any:
    if dataclasses.is_dataclass(value):
        return as_json(value)
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _value(hint: Any, value: object, path: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return parse(typing.cast(type, hint), value, path)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return _union(arguments, value, path)
    if origin is tuple:
        if not isinstance(value, list):
            raise FieldError(f"{path} must be a list, not {_shown(value)}")
        return tuple(_value(arguments[0], item, f"{path}[{i}]") for i, item in enumerate(value))
    if origin is typing.Literal:
        if not any(value == a and type(value) is type(a) for a in arguments):
            raise FieldError(f"{path} must be {_either(arguments)}, not {_shown(value)}")
        return value
    return _scalar(hint, value, path)


def _union(arguments: tuple[Any, ...], value: object, path: str) -> Any:
    """The member that the value means: for an object a dataclass, told apart by `kind` if there are several."""
    members = [
        m for m in arguments if m is not types.NoneType and dataclasses.is_dataclass(m) == isinstance(value, dict)
    ]
    if len(members) > 1 and isinstance(value, dict):
        kinds = {typing.get_args(typing.get_type_hints(m)["kind"])[0]: m for m in members}
        if not any(value.get("kind") == kind for kind in kinds):
            raise FieldError(f"{path}.kind must be {_either(kinds)}, not {_shown(value.get('kind'))}")
        members = [kinds[value["kind"]]]
    return _value((members or [m for m in arguments if m is not types.NoneType])[0], value, path)


def _either(values: typing.Iterable[object]) -> str:
    return " or ".join(map(repr, values))


def _scalar(hint: Any, value: object, path: str) -> Any:
    if type(value) is int and not -(2**63) <= value < 2**63:
        raise FieldError(f"{path} must be a number of 64 bits, not {_shown(value)}")
    if hint is float and type(value) is int:
        value = float(value)
    if type(value) is not hint:
        raise FieldError(f"{path} must be {_TYPE_NAMES[hint]}, not {_shown(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise FieldError(f"{path} must be finite, not {value}")
    if isinstance(value, str) and not _is_unicode(value):
        raise FieldError(f"{path} must be text that UTF-8 can hold, not {_shown(value)}")
    return value


def _is_unicode(text: str) -> bool:
    """JSON may escape half of a pair of surrogates, which no answer could be encoded with."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_TYPE_NAMES = {str: "a string", bool: "true or false", int: "an integer", float: "a number", dict: "an object"}


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _name(name: str) -> str:
    """A field's name, which anybody may have chosen, for a message."""
    return name if name.isidentifier() and len(name) <= 60 else _shown(name)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
