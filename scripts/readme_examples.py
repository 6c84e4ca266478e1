"""Run the README's curl examples against a running service; with --write, put the answers below them.

    python -m scripts.readme_examples [--write] [http://127.0.0.1:8000]

Each ```sh block that uses curl is run as it stands, one after the other, in one folder; a ``` block right below it
holds its answer. Answers are shortened for reading only: what was left out is marked with an ellipsis.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

README = Path(__file__).parent.parent / "README.md"
WRITTEN_URL = "http://127.0.0.1:8000"
# Told in the API's own pages, and of no use to a first reader.
LEFT_OUT = {
    *(
        "object",
        "attempt",
        "request",
        "finished_at",
        "queue_position",
        "cancel_requested",
        "links",
        "error",
        "progress",
        "height",
        "width",
    ),
    *("channels", "num_levels", "created_at", "started_at", "expires_at", "per_pixel", "upload", "unit", "rows"),
}
MAX_LINE, MAX_ENTRIES = 124, 10
_BLOCK = re.compile(r"```sh\n(?P<command>curl.*?|JOB=.*?)```\n\n```\w*\n(?P<answer>.*?)```", re.DOTALL)


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--write"]
    url = words[0] if words else WRITTEN_URL
    text = README.read_text()
    with tempfile.TemporaryDirectory() as folder:
        answers = [shorten(run(block["command"].replace(WRITTEN_URL, url), Path(folder))) for block in examples(text)]
    print("\n\n".join(answers))
    if "--write" in sys.argv[1:]:
        README.write_text(with_answers(text, answers))


def with_answers(text: str, answers: list[str]) -> str:
    """`text` with the block below each example replaced, last one first so that places stay valid."""
    for block, answer in reversed(list(zip(examples(text), answers, strict=True))):
        text = f"{text[: block.start('answer')]}{answer}\n{text[block.end('answer') :]}"
    return text


def examples(text: str) -> list[re.Match[str]]:
    """Matches with the groups `command` and `answer`, in order."""
    return list(_BLOCK.finditer(text))


def run(command: str, folder: Path) -> str:
    """What the command prints; CalledProcessError if it fails or the service answers with an error."""
    # Variables that a block sets are there for the next one, as in a terminal.
    script = f"[ -f variables ] && . ./variables\n{command.replace('curl -s', 'curl -sf')}\nstatus=$?\n"
    script += "echo JOB=$JOB > variables; exit $status"
    return subprocess.run(["bash", "-c", script], cwd=folder, check=True, capture_output=True, text=True).stdout.strip()


def shorten(answer: str) -> str:
    """JSON in readable lines without `LEFT_OUT`; the middle of a stream left out, its long lines cut."""
    if not answer.startswith("{"):
        events = answer.split("\n\n")
        shown = events if len(events) <= 5 else [*events[:3], "…", *events[-2:]]
        lines = "\n\n".join(shown).splitlines()
        return "\n".join(line if len(line) <= MAX_LINE else f"{line[: MAX_LINE - 1]}…" for line in lines)
    return _lines(json.loads(answer), "")


def _lines(value: Any, indent: str) -> str:
    flat = _flat(value)
    if len(indent + flat) <= MAX_LINE or not isinstance(value, dict | list):
        return flat
    inner = indent + "  "
    if isinstance(value, list):
        shown = value[:MAX_ENTRIES]
        entries = [_lines(entry, inner) for entry in shown] + ["…"] * (len(shown) < len(value))
        return "[\n" + ",\n".join(inner + entry for entry in entries) + f"\n{indent}]"
    kept = {name: entry for name, entry in value.items() if name not in LEFT_OUT}
    entries = [f"{json.dumps(name)}: {_lines(entry, inner)}" for name, entry in kept.items()]
    entries += ["…"] * (len(kept) < len(value))
    return "{\n" + ",\n".join(inner + entry for entry in entries) + f"\n{indent}}}"


def _flat(value: Any) -> str:
    """On one line, numbers with at most 4 digits, hashes with the first 12."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value):
        return json.dumps(value[:12] + "…", ensure_ascii=False)
    if isinstance(value, list):
        return "[" + ", ".join(map(_flat, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {_flat(entry)}" for name, entry in value.items()) + "}"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main()
