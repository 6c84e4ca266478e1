"""What becomes of vector graphics, and which smileys are one another's variants; the packages' own content is checked
when it is fetched."""

import json
import tarfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.test_emoji import entry
from tests.training.test_fetch import install_command
from training.emoji import VENDORS, Drawing
from training.idx import read_idx, write_idx
from training.smileys import (
    FACE_MAKERS,
    NUM_FACE_SMILEYS_VALIDATION,
    SETS,
    SHOWN_SMILEYS,
    SMILEY_TAGS,
    coarse_faces,
    is_face,
    maker_of,
    rasterise,
    smiley_pictures,
    smiley_tags,
    svg_of,
)

GRIN = Drawing("openmoji", "grinning-face", "Smileys & Emotion", "face-smiling", "1F600", ())
ICONS = {
    "width": 36,
    "height": 36,
    "icons": {
        "grinning-face": {"body": '<path fill="#ff8000" d="M0 0h18v36H0z"/>'},
        "wide": {"body": '<path d="M0 0h72v36H0z" opacity=".5"/>', "width": 72},
        "red-heart": {"body": '<path fill="red" d="M0 0h36v36H0z"/>'},
        "dog-face": {"body": '<path fill="brown" d="M0 0h36v36H0z"/>'},
        "unknown": {"body": ""},
    },
}


def test_vector_graphics_lie_on_white_in_the_middle() -> None:
    half = rasterise(svg_of(ICONS, "grinning-face", 64), 32)
    assert half.shape == (32, 32, 3) and half.dtype == np.uint8
    assert (half[:, :16] == (255, 128, 0)).all() and (half[:, 16:] == 255).all()
    wide = rasterise(svg_of(ICONS, "wide", 64), 32)
    assert (wide[:8] == 255).all() and (wide[24:] == 255).all()
    assert ((wide[8:24] == 127) | (wide[8:24] == 128)).all()


def test_a_picture_that_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError):
        rasterise(svg_of({"icons": {"torn": {"body": "<path"}}}, "torn", 64), 32)


def test_a_smiley_has_its_kind_and_its_maker() -> None:
    assert {SMILEY_TAGS[k] for k in np.flatnonzero(smiley_tags(GRIN))} == {"face-smiling", "openmoji"}
    rare = Drawing("google", "a.png", "Smileys & Emotion", "face-hat", "1F920", ())
    assert {SMILEY_TAGS[k] for k in np.flatnonzero(smiley_tags(rare))} == {"noto"}
    assert len(set(SMILEY_TAGS)) == len(SMILEY_TAGS) == 21
    assert {tag for pair in SHOWN_SMILEYS for tag in pair} <= set(SMILEY_TAGS)


def test_the_same_smiley_of_all_makers_has_the_same_code_points_and_other_emoji_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the makers of vector graphics one does not tell code points; a mark that asks for a picture does not count."""
    table = [entry("1F600", GRIN.group), entry("2764-FE0F", GRIN.group), entry("1F436", "Animals & Nature")]
    for vendor in VENDORS:
        folder = tmp_path / f"emoji-datasource-{vendor}" / "package"
        (folder / "img" / vendor / "64").mkdir(parents=True)
        for drawn in table:
            Image.new("RGBA", (64, 64)).save(folder / "img" / vendor / "64" / str(drawn["image"]))
        (folder / "emoji.json").write_text(json.dumps(table))
    names = {"1f600": "grinning-face", "2764": "red-heart", "1f436": "dog-face"}
    for maker, package in SETS.items():
        folder = tmp_path / package.partition("@")[0] / "package"
        folder.mkdir(parents=True)
        (folder / "icons.json").write_text(json.dumps(ICONS))
        if maker != "noto-blobs":
            (folder / "chars.json").write_text(json.dumps(names))
    for source in tmp_path.iterdir():
        with tarfile.open(tmp_path / f"{source.name}.tgz", "w:gz") as archive:
            archive.add(source / "package", "package")
    script = f'name=${{2#@iconify-json/}}; cp "{tmp_path}/${{name%@*}}.tgz" .'
    install_command(tmp_path / "bin", "npm", script, monkeypatch)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    pictures = smiley_pictures(scratch, 32)
    found = {(drawing.vendor, drawing.code_points) for drawing in pictures}
    assert found == {(maker, points) for maker in (*VENDORS, *SETS) for points in ("1F600", "2764-FE0F")}
    heart = next(d for d in pictures if d.vendor == "noto-blobs" and d.code_points == "2764-FE0F")
    assert (heart.file, heart.group) == ("red-heart", GRIN.group) and (pictures[heart] == (255, 0, 0)).all()


def test_a_face_is_of_one_maker_and_costumes_are_none() -> None:
    assert is_face(GRIN) and FACE_MAKERS[maker_of(GRIN)] == "openmoji"
    assert FACE_MAKERS[maker_of(replace(GRIN, vendor="twitter"))] == "twemoji"
    assert not any(is_face(replace(GRIN, subgroup=kind)) for kind in ("face-costume", "heart", "cat-face"))


def test_coarse_faces_that_train_begin_anywhere_and_others_in_the_corner() -> None:
    generator = np.random.default_rng(0)
    num_train = 2
    train = generator.integers(0, 256, (num_train + NUM_FACE_SMILEYS_VALIDATION, 8, 8, 3)).astype(np.uint8)
    test, labels = train[:5], np.arange(len(train), dtype=np.uint8)
    arrays = {"train-images": train, "train-labels": labels, "test-images": test, "test-labels": labels[:5]}
    found = {
        file: read_idx(content) for file, content in coarse_faces({f: write_idx(a) for f, a in arrays.items()}).items()
    }
    assert found["train-images"].shape == (16 * num_train + NUM_FACE_SMILEYS_VALIDATION, 2, 2, 3)
    for image, label in zip(found["train-images"][: 16 * num_train], found["train-labels"], strict=False):
        whole = train[label].reshape(2, 4, 2, 4, 3)
        assert any((whole[:, row, :, column] == image).all() for row in range(4) for column in range(4))
    assert len(np.unique(found["train-images"][: 16 * num_train], axis=0)) == 16 * num_train
    assert (found["train-images"][16 * num_train :] == train[num_train:, ::4, ::4]).all()
    assert (found["train-labels"][16 * num_train :] == labels[num_train:]).all()
    assert (found["test-images"] == test[:, ::4, ::4]).all() and (found["test-labels"] == labels[:5]).all()
