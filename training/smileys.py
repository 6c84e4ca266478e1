"""Smileys of seven makers in colour, on white: Unicode's first group, faces and hearts; or its faces alone.

Two makers are those of `training.emoji`; the others come as vector graphics, which are drawn twice as wide and then
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
from training.idx import read_idx, write_idx

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
FACE_MAKERS = (*MAKERS.values(), *SETS)
"""The classes of the faces."""
NUM_FACE_SMILEYS_VALIDATION = 72  # likewise
SMILEYS_SHA256 = {
    "train-images": "1066f45a7cc4c75d2ed29cfbe6c1f53f5d483a202a0ba0899bda13e838e13589",
    "train-labels": "d0d26d7d6df09e5381b33b97c8d63faaf4707b7f986e1b85677c70e48d76fb11",
    "test-images": "accf445800bf5bd3a3bcbdd14bd275c2542402f0ceaf66a593d13c773036ecba",
    "test-labels": "dc937dcd2d2e96dbf32d876c32d11145fb1ecfaaa8a632b04ed2e5e22b8691c4",
}
SMILEYS64_SHA256 = {
    "train-images": "8e8cde0ac8446685ea10bb13254349b312e9551d1eb3577c846282f095daeb9e",
    "train-labels": "3e724bf73636925bb60d802b03fdbf3ab3988bed12fa127cfe03d55040f67c90",
    "test-images": "8ff14c97ae71b97df71171b0ec5b993fefc20996a7d956530b4ab2751499fab3",
    "test-labels": "4a291caaa6c11fdb20f717cf8348af1dfd706c480e9a6dad6df0bcdde2a7d35f",
}
SMILEYS16_SHA256 = SMILEYS64_SHA256 | {
    "train-images": "f4c4e218c9ff58d3fbb6b676790fb42466dd2a95bd745c83471cd530296c331f",
    "train-labels": "41648bc63a876cb3d6a601ef4942023601c4ccf060304b853eadf66062a8a004",
    "test-images": "33b9783fa77ca151e8801e8d9f34d6edf07b83fa244fc35fd849812a3862f072",
}
_GROUP = "Smileys & Emotion"
_SIDE, _FACE_SIDE, _STRIDE = 32, 64, 4


def smiley_tags(drawing: Drawing) -> np.ndarray:
    """uint8 [tag]: 1 for each of SMILEY_TAGS that a drawing has."""
    has = {drawing.subgroup, MAKERS.get(drawing.vendor, drawing.vendor)}
    return np.array([tag in has for tag in SMILEY_TAGS], np.uint8)


def fetch_smileys(directory: Path) -> None:
    """Puts the smileys into a directory, from npm packages of the makers."""
    install(directory, lambda scratch: split_files(smiley_pictures(scratch, _SIDE), smiley_tags), SMILEYS_SHA256)


def fetch_face_smileys(directory: Path) -> None:
    """Puts the faces among them, 64 pixels wide and high, into a directory."""

    def unpack(scratch: Path) -> dict[str, bytes]:
        pictures = smiley_pictures(scratch, _FACE_SIDE)
        return split_files({drawing: picture for drawing, picture in pictures.items() if is_face(drawing)}, maker_of)

    install(directory, unpack, SMILEYS64_SHA256)


def coarse_faces(contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Every fourth row and column of the faces. From each picture that trains, all 16 images that begin with another
    of the first four rows and columns: a coarse image is moved by a part of its pixel."""
    train, labels, test = (read_idx(contents[file]) for file in ("train-images", "train-labels", "test-images"))
    num_train = len(train) - NUM_FACE_SMILEYS_VALIDATION
    places = [(row, column) for row in range(_STRIDE) for column in range(_STRIDE)]
    moved = [train[:num_train, row::_STRIDE, column::_STRIDE] for row, column in places]
    images = np.concatenate([*moved, train[num_train:, ::_STRIDE, ::_STRIDE]])
    told = np.concatenate([np.tile(labels[:num_train], len(places)), labels[num_train:]])
    made = {"train-images": images, "train-labels": told, "test-images": test[:, ::_STRIDE, ::_STRIDE]}
    return {**contents, **{file: write_idx(np.ascontiguousarray(array)) for file, array in made.items()}}


def is_face(drawing: Drawing) -> bool:
    """Whether it is a round face, as they mostly are; a face in costume may be a robot or a ghost."""
    return drawing.subgroup.startswith("face-") and drawing.subgroup != "face-costume"


def maker_of(drawing: Drawing) -> np.ndarray:
    """The number of its maker in FACE_MAKERS, uint8."""
    return np.array(FACE_MAKERS.index(MAKERS.get(drawing.vendor, drawing.vendor)), np.uint8)


def smiley_pictures(scratch: Path, side: int) -> dict[Drawing, np.ndarray]:
    """All smileys, uint8 [row, col, RGB], `side` wide and high, from npm packages unpacked in `scratch`."""
    pictures = {drawing: p for drawing, p in emoji_pictures(scratch, side).items() if drawing.group == _GROUP}
    known = {_plain(drawing.code_points): drawing for drawing in pictures}
    packages = {maker: _unpack(scratch / maker, name) for maker, name in SETS.items()}
    code_points = code_points_by_name(packages.values())
    for maker, package in packages.items():
        icons = json.loads((package / "icons.json").read_text())
        named = {code_points[name]: name for name in icons["icons"] if name in code_points}
        for points, drawing in known.items():
            if points in named:
                own = replace(drawing, vendor=maker, file=named[points])
                pictures[own] = rasterise(svg_of(icons, own.file, 2 * side), side)
    return pictures


def code_points_by_name(packages: Iterable[Path]) -> dict[str, str]:
    """Code points by the name of an emoji, as those packages tell that do; all use the same names."""
    told: dict[str, str] = {}
    for package in packages:
        if (package / "chars.json").exists():
            for points, name in json.loads((package / "chars.json").read_text()).items():
                told.setdefault(name, _plain(points))
    return told


def svg_of(icons: Mapping[str, Any], name: str, drawn_side: int) -> str:
    """One icon of an `icons.json` as a file of vector graphics, a square with the icon in its middle."""
    icon = icons["icons"][name]
    width, height = (icon.get(side, icons.get(side, 16)) for side in ("width", "height"))
    spaces = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    size = f'width="{drawn_side}" height="{drawn_side}" viewBox="0 0 {width} {height}"'
    return f"<svg {spaces} {size}>{icon['body']}</svg>"


def rasterise(svg: str, side: int) -> np.ndarray:
    """uint8 [row, col, RGB], on white, `side` wide and high; no font of this machine has a say."""
    with Image.open(io.BytesIO(resvg_py.svg_to_bytes(svg_string=svg, skip_system_fonts=True))) as image:
        return on_white(image, side)


def _unpack(folder: Path, name: str) -> Path:
    package = f"@iconify-json/{name}"
    return unpack_npm(package, folder, f"npm pack {package}, where there is npm")


def _plain(code_points: str) -> str:
    """Without the mark that asks for a picture: the packages disagree on it."""
    return code_points.upper().replace("-FE0F", "")
