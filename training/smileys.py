"""Smileys of seven makers in colour, on white, 32 pixels wide and high: Unicode's first group, faces and hearts.

Two makers are those of `training.emoji`; the others come as vector graphics, which are drawn 64 pixels wide and then
treated alike. An emoji lies in one split whoever drew it.
"""

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import resvg_py
from PIL import Image

from training.emoji import Drawing, emoji_pictures, on_white, split_files
from training.emoji_tags import MAKERS
from training.fetch import install, unpack_npm

SETS = {
    "fluent": "fluent-emoji-flat@1.2.6",
    "openmoji": "openmoji@1.2.29",
    "emojione-2": "emojione@1.2.3",
    "emojione-1": "emojione-v1@1.2.3",
    "noto-blobs": "noto-v1@1.2.5",
}
"""Makers of vector graphics, and their packages of the scope @iconify-json."""
KINDS = (
    "face-smiling",
    "face-affection",
    "face-tongue",
    "face-hand",
    "face-neutral-skeptical",
    "face-sleepy",
    "face-unwell",
    "face-concerned",
    "face-negative",
    "face-costume",
    "cat-face",
    "monkey-face",
    "heart",
    "emotion",
)
"""Unicode's subgroups that have at least 20 pictures to learn from."""
SMILEY_TAGS = (*KINDS, *MAKERS.values(), *SETS)
SHOWN_SMILEYS = (
    *(("face-smiling", maker) for maker in (*MAKERS.values(), *SETS)),
    ("face-concerned", "twemoji"),
    ("face-costume", "fluent"),
    ("cat-face", "noto"),
    ("heart", "openmoji"),
)
"""What a card shows, a kind and a maker each."""
NUM_SMILEYS_VALIDATION = 133  # the last of the training files
SMILEYS_SHA256 = {
    "train-images": "1066f45a7cc4c75d2ed29cfbe6c1f53f5d483a202a0ba0899bda13e838e13589",
    "train-labels": "d0d26d7d6df09e5381b33b97c8d63faaf4707b7f986e1b85677c70e48d76fb11",
    "test-images": "accf445800bf5bd3a3bcbdd14bd275c2542402f0ceaf66a593d13c773036ecba",
    "test-labels": "dc937dcd2d2e96dbf32d876c32d11145fb1ecfaaa8a632b04ed2e5e22b8691c4",
}
_GROUP = "Smileys & Emotion"
_SIDE, _DRAWN_SIDE = 32, 64


def smiley_tags(drawing: Drawing) -> np.ndarray:
    """uint8 [tag]: 1 for each of SMILEY_TAGS that a drawing has."""
    has = {drawing.subgroup, MAKERS.get(drawing.vendor, drawing.vendor)}
    return np.array([tag in has for tag in SMILEY_TAGS], np.uint8)


def fetch_smileys(directory: Path) -> None:
    """Puts the smileys into a directory, from npm packages of the makers."""
    install(directory, lambda scratch: split_files(smiley_pictures(scratch), smiley_tags), SMILEYS_SHA256)


def smiley_pictures(scratch: Path) -> dict[Drawing, np.ndarray]:
    """All smileys, uint8 [row, col, RGB], from npm packages unpacked in `scratch`."""
    pictures = {drawing: p for drawing, p in emoji_pictures(scratch, _SIDE).items() if drawing.group == _GROUP}
    known = {_plain(drawing.code_points): drawing for drawing in pictures}
    packages = {maker: _unpack(scratch / maker, name) for maker, name in SETS.items()}
    code_points = code_points_by_name(packages.values())
    for maker, package in packages.items():
        icons = json.loads((package / "icons.json").read_text())
        named = {code_points[name]: name for name in icons["icons"] if name in code_points}
        for points, drawing in known.items():
            if points in named:
                own = replace(drawing, vendor=maker, file=named[points])
                pictures[own] = rasterise(svg_of(icons, own.file))
    return pictures


def code_points_by_name(packages: Iterable[Path]) -> dict[str, str]:
    """Code points by the name of an emoji, as those packages tell that do; all use the same names."""
    told: dict[str, str] = {}
    for package in packages:
        if (package / "chars.json").exists():
            for points, name in json.loads((package / "chars.json").read_text()).items():
                told.setdefault(name, _plain(points))
    return told


def svg_of(icons: Mapping[str, Any], name: str) -> str:
    """One icon of an `icons.json` as a file of vector graphics, a square with the icon in its middle."""
    icon = icons["icons"][name]
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    size = f'width="{_DRAWN_SIDE}" height="{_DRAWN_SIDE}" viewBox="0 0 {width} {height}"'
    return f"<svg {spaces} {size}>{icon['body']}</svg>"


def rasterise(svg: str) -> np.ndarray:
    """uint8 [row, col, RGB], on white; no font of this machine has a say."""
    with Image.open(io.BytesIO(resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True))) as image:
        return on_white(image, _SIDE)


def _unpack(folder: Path, name: str) -> Path:
    package = f"@iconify-json/{name}"
    return unpack_npm(package, folder, f"npm pack {package}, where there is npm")


def _plain(code_points: str) -> str:
    """Without the mark that asks for a picture: the packages disagree on it."""
    return code_points.upper().replace("-FE0F", "")
