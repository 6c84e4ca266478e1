"""Sets of grey images: what lies on disk, and how the sets are made."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.training.greys import write_greys
from training import greys
from training.deadleaves import GREYS, NOISE, R_MAX, dead_leaves
from training.fetch import DataError, digest
from training.greys import BSDS300_VARIABLE, fetch_bsds300, load_greys


def test_a_set_is_read_with_all_its_sizes(tmp_path: Path) -> None:
    write_greys(tmp_path)
    splits = load_greys("bsds300", tmp_path)
    assert {tuple(image.shape) for image in splits["train"]} == {(14, 11), (11, 14)}
    assert [len(images) for images in splits.values()] == [8, 8, 8]


def test_a_set_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run `python -m training data deadleaves`"):
        load_greys("deadleaves", tmp_path)


def write_photographs(folder: Path) -> None:
    for split, count in (("train", 20), ("test", 3)):
        (folder / split).mkdir(parents=True)
        for k in range(count):
            shape = (4, 6, 3) if k % 3 else (6, 4, 3)
            Image.fromarray(np.full(shape, (10 * k, 50, 100), np.uint8)).save(folder / split / f"{k:03}.jpg")


def test_every_tenth_photograph_is_held_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_photographs(tmp_path / "source")
    monkeypatch.setenv(BSDS300_VARIABLE, str(tmp_path / "source"))
    names = {f"{split}-{size}": "" for split in greys.SPLITS for size in ("4x6", "6x4")}
    with pytest.raises(DataError, match="has sha256"):
        monkeypatch.setattr(greys, "BSDS300_SHA256", names)
        fetch_bsds300(tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    monkeypatch.setattr(greys, "write_files", lambda folder, contents, sha256: write_unchecked(folder, contents))
    fetch_bsds300(tmp_path / "bsds300")
    splits = load_greys("bsds300", tmp_path)
    assert [len(images) for images in splits.values()] == [18, 2, 3]
    luma = sorted(int(image[0, 0]) for image in splits["validation"])
    assert luma == pytest.approx([0.299 * 90 + 0.587 * 50 + 0.114 * 100, 0.299 * 190 + 0.587 * 50 + 0.114 * 100], abs=2)


def write_unchecked(folder: Path, contents: dict[str, bytes]) -> None:
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_bytes(content)


def test_a_folder_without_photographs_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (None, tmp_path):
        monkeypatch.delenv(BSDS300_VARIABLE, raising=False)
        if folder:
            monkeypatch.setenv(BSDS300_VARIABLE, str(folder))
        with pytest.raises(DataError, match=BSDS300_VARIABLE):
            fetch_bsds300(tmp_path / "bsds300")


def test_dead_leaves_are_a_function_of_the_seed() -> None:
    assert digest(dead_leaves(0, 64).tobytes()) == digest(dead_leaves(0, 64).tobytes())
    assert (dead_leaves(0, 64) != dead_leaves(1, 64)).mean() > 0.9


def test_dead_leaves_are_flat_but_for_noise_inside_a_disc_and_cover_all_greys() -> None:
    image = dead_leaves(3, 128).astype(float)
    steps = np.abs(np.diff(image, axis=1))
    flat = steps[steps < 6 * NOISE]
    assert 0.4 < flat.size / steps.size < 0.95, "most neighbours lie on one disc, many do not"
    assert flat.std() == pytest.approx(NOISE * 2**0.5 * (1 - 2 / np.pi) ** 0.5, rel=0.25)
    assert image.min() < GREYS[0] + 10 and image.max() > GREYS[1] - 10 and R_MAX < 128
