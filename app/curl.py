"""The curl command of an operation's example, ready to be pasted."""

import json
import re
import shlex
from typing import Any


def command(base_url: str, method: str, path: str, content: dict[str, Any]) -> str:
    """`content` maps content types to media type objects with an `example`."""
    words = ["curl"] if method == "get" else ["curl", "-X", method.upper()]
    if method == "get" and path.endswith("/events"):
        words.append("-N")
    lines = [" ".join([*words, address(base_url, path)])]
    for content_type, media in list(content.items())[:1]:
        lines += json_lines(media) if content_type == "application/json" else form_lines(media)
    return " \\\n  ".join(lines)


def address(base_url: str, path: str) -> str:
    """For a shell: `{job_id}` is its variable $JOB, `{model_id}` $MODEL, and `{k}` the first, 0."""
    filled = re.sub(r"{(\w+)_id}", lambda found: f"${found[1].upper()}", path.replace("{k}", "0"))
    return f'"{base_url}{filled}"' if "$" in filled else shlex.quote(base_url + filled)


def json_lines(media: dict[str, Any]) -> list[str]:
    return ["-H 'Content-Type: application/json'", f"-d {shlex.quote(json.dumps(media['example']))}"]


def form_lines(media: dict[str, Any]) -> list[str]:
    return [f"-F {shlex.quote(f'{name}={form_value(value)}')}" for name, value in media["example"].items()]


def form_value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
