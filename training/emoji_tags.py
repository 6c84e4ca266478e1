"""Tags of emoji: their Unicode group and subgroup, who drew them, and the skin in them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from training.emoji import EMOJI_SHA256, GROUPS, TONES, Drawing, emoji_pictures, split_files
from training.fetch import install

SUBGROUPS = (
    "face-smiling",
    "face-neutral-skeptical",
    "face-concerned",
    "face-unwell",
    "heart",
    "emotion",
    "hand-fingers-open",
    "hand-fingers-partial",
    "hand-fingers-closed",
    "hand-single-finger",
    "hand-prop",
    "hands",
    "body-parts",
    "person",
    "person-gesture",
    "person-role",
    "person-fantasy",
    "person-activity",
    "person-sport",
    "person-resting",
    "person-symbol",
    "family",
    "animal-mammal",
    "animal-bird",
    "animal-marine",
    "animal-bug",
    "plant-flower",
    "plant-other",
    "food-fruit",
    "food-vegetable",
    "food-prepared",
    "food-asian",
    "food-sweet",
    "drink",
    "place-building",
    "place-other",
    "transport-ground",
    "transport-air",
    "time",
    "sky & weather",
    "event",
    "sport",
    "game",
    "clothing",
    "musical-instrument",
    "computer",
    "light & video",
    "book-paper",
    "mail",
    "office",
    "tool",
    "household",
    "transport-sign",
    "warning",
    "arrow",
    "religion",
    "zodiac",
    "av-symbol",
    "keycap",
    "alphanum",
    "geometric",
    "other-symbol",
    "country-flag",
)
"""Unicode's subgroups that have at least 20 pictures to learn from."""
SKINS = ("light skin", "medium-light skin", "medium skin", "medium-dark skin", "dark skin")
MAKERS = {"google": "noto", "twitter": "twemoji"}
TAGS = (*GROUPS.values(), *SUBGROUPS, *SKINS, *MAKERS.values())
SHOWN_TAGS = (
    ("smileys", "face-smiling"),
    ("smileys", "heart"),
    ("people", "person-role"),
    ("animals", "animal-mammal"),
    ("animals", "plant-flower"),
    ("food", "food-fruit"),
    ("travel", "transport-ground"),
    ("travel", "sky & weather"),
    ("objects", "clothing"),
    ("symbols", "geometric"),
    ("symbols", "arrow"),
    ("flags", "country-flag"),
)
"""What a card shows. Each a group and a subgroup of it: no picture has the second without the first."""
EMOJI_TAGS_SHA256 = {
    "train-images": EMOJI_SHA256[32]["train-images"],
    "train-labels": "97b6d4f63d2cad537892edd66b3281df645bc2d35f5c1b90b32075c05bc44c14",
    "test-images": EMOJI_SHA256[32]["test-images"],
    "test-labels": "b7887f85a23fd54e9632d3cc7cb6938c309733d5d64fa71834c950df0fc5bd4e",
}


def tags_of(drawing: Drawing) -> np.ndarray:
    """uint8 [tag]: 1 for each of TAGS that a drawing has."""
    skins = [SKINS[TONES.index(tone)] for tone in drawing.tones]
    has = {GROUPS[drawing.group], drawing.subgroup, MAKERS[drawing.vendor], *skins}
    return np.array([tag in has for tag in TAGS], np.uint8)


def emoji_tags_fetcher(side: int) -> Callable[[Path], None]:
    """Puts the emoji into a directory as `training.emoji.emoji_fetcher` does, with all their tags for labels."""

    def unpack(scratch: Path) -> dict[str, bytes]:
        return split_files(emoji_pictures(scratch, side), tags_of)

    return lambda directory: install(directory, unpack, EMOJI_TAGS_SHA256)
