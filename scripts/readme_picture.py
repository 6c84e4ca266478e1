"""Draw the README's picture with a running service: a row of ten samples of every hosted model, the first that come.

Seed k for the k-th class or tag in order; an unconditional model draws samples 0 to 9 of seed 0, and squares as large
as a place in the picture if any size will do. Models that have to be told an image or its like are left out.

python -m scripts.readme_picture [http://127.0.0.1:8000]      writes docs/samples.png
"""

import io
import json
import sys
import urllib.request
from pathlib import Path
from typing import Any

from PIL import Image

PER_ROW, SIDE, GAP = 10, 84, 4
DRAWN = ("none", "class", "tags")
TARGET = Path(__file__).parent.parent / "docs" / "samples.png"


def main() -> None:
    service = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000"
    published = _get_json(f"{service}/v1/models")["data"]
    models = [m for m in published if m["status"] == "admitted" and m["conditioning"]["kind"] in DRAWN]
    rows = [_row(service, model) for model in sorted(models, key=lambda model: str(model["id"]))]
    _picture(rows).save(TARGET, optimize=True)
    print(f"{TARGET.name}: {', '.join(sorted(model['id'] for model in models))}")


def _row(service: str, model: dict[str, Any]) -> list[Image.Image]:
    """Ten samples: of the first ten classes in order, or told one tag each, or of an unconditional model."""
    kind, names = model["conditioning"]["kind"], model["conditioning"].get("names")
    size = {} if model["image"]["height"] else {"height": SIDE, "width": SIDE}
    if names is None:
        return _draw(service, {"model": model["id"], "n": PER_ROW, "seed": 0, **size})
    return [
        _draw(service, {"model": model["id"], "n": 1, "seed": k, "condition": _condition(kind, name), **size})[0]
        for k, name in enumerate(names[:PER_ROW])
    ]


def _condition(kind: str, name: str) -> dict[str, Any]:
    return {"class": name} if kind == "class" else {"tags": [name]}


def _draw(service: str, body: dict[str, Any]) -> list[Image.Image]:
    headers = {"Content-Type": "application/json", "Prefer": "wait=60"}
    request = urllib.request.Request(f"{service}/v1/samples", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request) as answer:
        job = json.load(answer)
    return [Image.open(io.BytesIO(_get(f"{service}/v1/jobs/{job['id']}/images/{k}"))) for k in range(body["n"])]


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url) as answer:
        content: bytes = answer.read()
    return content


def _get_json(url: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_get(url))
    return document


def _picture(rows: list[list[Image.Image]]) -> Image.Image:
    """The samples in rows on light grey, each of one size; a box filter keeps 28 pixels sharp."""
    step = SIDE + GAP
    sheet = Image.new("RGB", (PER_ROW * step + GAP, len(rows) * step + GAP), (230, 230, 230))
    for r, row in enumerate(rows):
        for c, sample in enumerate(row):
            large = sample.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BOX)
            sheet.paste(large, (GAP + c * step, GAP + r * step))
    return sheet


if __name__ == "__main__":
    main()
