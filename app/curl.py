"""The curl command of an operation's example, ready to be pasted."""

import json
import shlex
from typing import Any


def command(base_url: str, method: str, path: str, content: dict[str, Any]) -> str:
    """`content` maps content types to media type objects with an `example`."""
    words = ["curl"] if method == "get" else ["curl", "-X", method.upper()]
    if method == "get" and path.endswith("/events"):
        words.append("-N")
    lines = [" ".join([*words, shlex.quote(base_url + path)])]
    for content_type, media in list(content.items())[:1]:
        lines += json_lines(media) if content_type == "application/json" else form_lines(media)
    return " \\\n  ".join(lines)


def json_lines(media: dict[str, Any]) -> list[str]:
    return ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json.dumps(media['example']))}"]


def form_lines(media: dict[str, Any]) -> list[str]:
    return [f"-F {shlex.quote(f'{name}={form_value(value)}')}" for name, value in media["example"].items()]


def form_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
