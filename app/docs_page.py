"""/docs and /errors: the OpenAPI document and the list of errors as plain HTML without script or network."""

import json
import re
from collections.abc import Iterable
from html import escape
from typing import Any

from app.curl import command
from app.errors import MEANINGS

METHODS = ("get", "post", "delete")


def page(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>{escape(title)} - Scanline</title>'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="/icon.svg">'
        '<link rel="stylesheet" href="/docs.css"></head>\n'
        f"<body><main><h1>{escape(title)}</h1>\n{body}\n</main></body>\n</html>\n"
    )


def docs_html(document: dict[str, Any], base_url: str) -> str:
    by_tag: dict[str, list[str]] = {}
    for path, methods in document["paths"].items():
        for method in METHODS:
            if method in methods:
                tag = methods[method]["tags"][0]
                by_tag.setdefault(tag, []).append(operation_html(path, method, methods[method], base_url))
    intro = text_html(document["info"]["description"]) + (
        "<p>In the commands <code>$JOB</code> is the <code>id</code> of a job, <code>$MODEL</code> of a model.</p>"
        '<p><a href="/openapi.json">OpenAPI document</a> · <a href="/errors">Errors</a> · <a href="/">The page</a></p>'
    )
    sections = (f"<h2>{escape(tag)}</h2>{''.join(operations)}" for tag, operations in by_tag.items())
    return page("The HTTP interface", intro + "".join(sections))


def operation_html(path: str, method: str, operation: dict[str, Any], base_url: str) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    parts = [
        f"<h3><code>{method.upper()} {escape(path)}</code> {escape(operation['summary'])}</h3>",
        text_html(operation.get("description", "")),
        f"<pre>{escape(command(base_url, method, path, content))}</pre>",
        parameters_html(operation.get("parameters", [])),
        *(body_html(content_type, media["schema"]) for content_type, media in content.items()),
        answers_html(operation["responses"]),
    ]
    return "\n".join(parts)


def parameters_html(parameters: list[dict[str, Any]]) -> str:
    rows = (
        (f"<code>{escape(entry['name'])}</code>", escape(entry["in"]), text_html(describe(entry)))
        for entry in parameters
    )
    return table(("Parameter", "in", ""), rows) if parameters else ""


def describe(entry: dict[str, Any]) -> str:
    """The description of a parameter, or of a field where `schema` is its own, and the values that it takes."""
    schema = entry.get("schema", entry)
    return f"{entry.get('description') or schema.get('description') or ''} {values_of(schema)}".strip()


def values_of(schema: dict[str, Any]) -> str:
    """As a sentence; empty where they are not listed or between two numbers."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    listed = [value for kind in kinds for value in kind.get("enum", [kind["const"]] if "const" in kind else [])]
    if listed:
        return f"{'One of' if len(listed) > 1 else 'Only'} {', '.join(f'`{value}`' for value in listed)}."
    numbers = kinds[0] if len(kinds) == 1 else {}
    if "minimum" in numbers and "maximum" in numbers:
        return f"{numbers['minimum']} to {numbers['maximum']}."
    return ""


def body_html(content_type: str, schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = (
        (
            f"<code>{escape(name)}</code>",
            "required" if name in required else default_html(field.get("default")),
            text_html(describe(field)),
        )
        for name, field in schema["properties"].items()
    )
    return f"<h4>Body: {escape(content_type)}</h4>" + table(("Field", "", ""), rows)


def default_html(value: Any) -> str:
    return "optional" if value is None else f"default <code>{escape(json.dumps(value))}</code>"


def answers_html(responses: dict[str, Any]) -> str:
    rows = ((f"<code>{status}</code>", text_html(answer["description"])) for status, answer in responses.items())
    return table(("Answer", ""), rows)


def errors_html() -> str:
    rows = (
        (
            f'<code id="{code}">{code}</code>',
            f"<code>{meaning.status}</code>",
            escape(meaning.title),
            escape(meaning.remedy),
        )
        for code, meaning in MEANINGS.items()
    )
    intro = (
        "<p>Every error is a problem document (RFC 9457) with an <code>error</code> member "
        "<code>{message, type, param, code}</code>. <code>code</code> is one of these.</p>"
    )
    return page("Errors", intro + table(("Code", "Status", "Meaning", "What to do"), rows))


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    heading = "".join(f"<th>{cell}</th>" for cell in head)
    lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows)
    return f"<table><thead><tr>{heading}</tr></thead><tbody>{lines}</tbody></table>"


def text_html(text: str) -> str:
    """Paragraphs, `code` and one level of `- ` lists, which is all that our descriptions use."""
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip()):
        marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(block, quote=False))
        if marked.startswith("- "):
            items = re.split(r"\n- ", marked.removeprefix("- "))
            blocks.append("<ul>" + "".join(f"<li>{item}</li>" for item in items) + "</ul>")
        elif marked:
            blocks.append(f"<p>{marked}</p>")
    return "".join(blocks)
