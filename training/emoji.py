"""Emoji of two vendors in colour, on white, by Unicode group: what they are, and which of them test a model.

A base emoji is an emoji whatever its skin, its sex, the way it is said to face and who drew it: all of these lie in one
split, for they are nearly the same picture. (Of 356 test pictures two are mirror images of training pictures of another
base, to the pixel.)
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from training.fetch import install, unpack_npm
from training.idx import write_idx

GROUPS = {
    "Smileys & Emotion": "smileys",
    "People & Body": "people",
    "Animals & Nature": "animals",
    "Food & Drink": "food",
    "Travel & Places": "travel",
    "Activities": "activities",
    "Objects": "objects",
    "Symbols": "symbols",
    "Flags": "flags",
}
"""The groups of Unicode, in its order, and the classes' names. The tenth, swatches of skin, is left out."""
VENDORS = ("google", "twitter")
EMOJI_SHA256 = {
    16: {
        "train-images": "6839a67ec4e9a3947751c6af0d8b379dd072c344a33fa939c92060f6c07f2801",
        "train-labels": "8508271ce7901b862f50939571a85277262ba7fc71fd23680ee5d58e813a0e4c",
        "test-images": "579f27288310d6cb9f025a2ef27eb35e5470be539af7a7187785d50f23a626be",
        "test-labels": "4ca6e44375652118ef9c40498943e6315eca662a453d5776b95bad80d0f7ccb2",
    },
    32: {
        "train-images": "233028d82eff10abdf8132cd6aee8afd6057705e1f8811bbfc7de77260830a54",
        "train-labels": "8508271ce7901b862f50939571a85277262ba7fc71fd23680ee5d58e813a0e4c",
        "test-images": "ec0703aed8f8ef5a64fefc306feb9f140463bd890caba7b6880ecf4dba6b37a0",
        "test-labels": "4ca6e44375652118ef9c40498943e6315eca662a453d5776b95bad80d0f7ccb2",
    },
    64: {
        "train-images": "544e720a0e94e8d5f8ffe64128c3775ab62e91d42e14f156724dd8944375f629",
        "train-labels": "8508271ce7901b862f50939571a85277262ba7fc71fd23680ee5d58e813a0e4c",
        "test-images": "c4f7ff883be5b6727f569cdbdd4366fb3092dcafd23cd647f87470eff0170522",
        "test-labels": "4ca6e44375652118ef9c40498943e6315eca662a453d5776b95bad80d0f7ccb2",
    },
}
"""By the side of a picture in pixels. Those of 16 are the coarse images of those of 64: every fourth row and column."""
NUM_EMOJI_VALIDATION = 392  # the last of the training files
_VERSION = "16.0.0"
_SIDE = 64
_JOINER, _PLAIN = "-200D-", "FE0F"
TONES = ("1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF")
_WOMAN, _MAN, _TO_THE_RIGHT = "2640", "2642", "27A1"
_ADULT, _CHILD, _ELDER = "1F9D1", "1F9D2", "1F9D3"
_ANY_SEX = {"1F468": _ADULT, "1F469": _ADULT, "1F466": _CHILD, "1F467": _CHILD, "1F474": _ELDER, "1F475": _ELDER}


@dataclass(frozen=True, slots=True)
class Drawing:
    """One emoji by one vendor; `tones`: of the skins in it, none where it is drawn in its own yellow."""

    vendor: str
    file: str
    group: str
    subgroup: str
    code_points: str
    tones: tuple[str, ...]

    @property
    def split(self) -> str:
        """By the sha256 of the base emoji: a tenth of them test, a tenth validate."""
        number = int(hashlib.sha256(base_emoji(self.code_points).encode()).hexdigest()[:8], 16)
        return {0: "test", 1: "validation"}.get(number % 10, "train")

    @property
    def is_used(self) -> bool:
        """Skins other than yellow are for training alone, those of two people only where they are alike."""
        return not self.tones or (self.split == "train" and len(self.tones) == 1)


def base_emoji(code_points: str) -> str:
    """What an emoji, hexadecimal code points with "-" between, has in common with its variants.

    >>> base_emoji("1F469-1F3FD-200D-1F373") == base_emoji("1F9D1-200D-1F373")  # a woman who cooks, anyone who cooks
    True
    """
    parts = []
    for place, part in enumerate(code_points.split(_JOINER)):
        points = [_ANY_SEX.get(point, point) for point in part.split("-") if point not in (*TONES, _PLAIN)]
        if place == 0 or points[0] not in (_WOMAN, _MAN, _TO_THE_RIGHT):
            parts.append("-".join(points))
    return _JOINER.join(parts)


def drawings(vendor: str, table: list[dict[str, Any]]) -> Iterator[Drawing]:
    """All drawings of a vendor, in the order of its table (`emoji.json`)."""
    for entry in table:
        if entry["category"] in GROUPS:
            for tones, drawn in [("", entry), *entry.get("skin_variations", {}).items()]:
                of_skin = tuple(tones.split("-")) if tones else ()
                groups = entry["category"], entry["subcategory"]
                yield Drawing(vendor, drawn["image"], *groups, drawn["unified"], of_skin)


def on_white(image: Image.Image, side: int) -> np.ndarray:
    """A square picture over white, each pixel the mean of those that it covers: uint8 [side, side, RGB].

    In integers, halves rounded up, so that the bytes are the same on every machine.
    """
    values = np.asarray(image.convert("RGBA"), np.uint32)
    alpha = values[:, :, 3:]
    opaque = (values[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255
    zoom = len(opaque) // side
    total = opaque.reshape(side, zoom, side, zoom, 3).sum((1, 3))
    mean: np.ndarray = (total + zoom**2 // 2) // zoom**2
    return mean.astype(np.uint8)


def group_of(drawing: Drawing) -> np.ndarray:
    """The number of its group, uint8."""
    return np.array(list(GROUPS).index(drawing.group), np.uint8)


def split_files(
    pictures: Mapping[Drawing, np.ndarray], label: Callable[[Drawing], np.ndarray] = group_of
) -> dict[str, bytes]:
    """The four files of a data set, without pictures that repeat another to the pixel; the last of train validate."""
    splits: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"train": [], "validation": [], "test": []}
    seen: set[bytes] = set()
    for drawing, picture in pictures.items():
        if drawing.is_used and picture.tobytes() not in seen:
            seen.add(picture.tobytes())
            splits[drawing.split].append((picture, label(drawing)))
    contents = {}
    for name, members in (("train", splits["train"] + splits["validation"]), ("test", splits["test"])):
        contents[f"{name}-images"] = write_idx(np.stack([picture for picture, _ in members]))
        contents[f"{name}-labels"] = write_idx(np.stack([label for _, label in members]))
    return contents


def emoji_pictures(scratch: Path, side: int) -> dict[Drawing, np.ndarray]:
    """All drawings, `side` pixels wide and high, from npm packages of the two vendors, unpacked in `scratch`."""
    pictures = {}
    for vendor in VENDORS:
        name = f"emoji-datasource-{vendor}@{_VERSION}"
        package = unpack_npm(name, scratch / vendor, f"npm pack {name}, where there is npm")
        table = json.loads((package / "emoji.json").read_text())
        for drawing in drawings(vendor, table):
            content = (package / "img" / vendor / str(_SIDE) / drawing.file).read_bytes()
            with Image.open(io.BytesIO(content)) as image:
                pictures[drawing] = on_white(image, side)
    return pictures


def emoji_fetcher(side: int) -> Callable[[Path], None]:
    """Puts the emoji, `side` pixels wide and high, into a directory, from npm packages of the two vendors."""

    def unpack(scratch: Path) -> dict[str, bytes]:
        return split_files(emoji_pictures(scratch, side))

    return lambda directory: install(directory, unpack, EMOJI_SHA256[side])
