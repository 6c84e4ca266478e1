from pathlib import Path

import numpy as np
import pytest

from tests.training.data import NUM_TEST, NUM_TRAIN, SIDE, write_tiny
from training.datasets import NUM_VALIDATION, binarise, find, load, read_idx, write_idx
from training.fetch import DataError, digest

RAMP = np.arange(256, dtype=np.uint8).repeat(64).reshape(256, 8, 8)


def test_the_binary_draw_is_the_same_on_every_machine() -> None:
    assert digest(binarise(RAMP, 0).tobytes()) == "b286ddb4929ed3219e3f5a61e79d1acd94a8ebea3869529cdefdcfbcfd32ac5d"
    assert digest(binarise(RAMP, 1).tobytes()) == "6c2ae5efe1b53a89fe4a28c1cfe118f0a68ca3b03b886e7b495ee9a8e54aa23d"


def test_black_is_never_drawn_white_and_white_always() -> None:
    assert binarise(np.zeros((100, 28, 28), np.uint8), 0).max() == 0
    assert binarise(np.full((100, 28, 28), 255, np.uint8), 0).min() == 1


def test_a_pixel_is_white_with_probability_intensity_over_255() -> None:
    share = binarise(np.full(200_000, 51, np.uint8), 0).mean()
    assert abs(share - 0.2) < 4 * (0.2 * 0.8 / 200_000) ** 0.5


def test_an_odd_number_of_pixels_uses_the_same_numbers() -> None:
    images = np.full(31, 128, np.uint8)
    assert (binarise(images, 0) == binarise(np.full(32, 128, np.uint8), 0)[:31]).all()


def test_idx_files_are_read_as_written() -> None:
    assert (read_idx(write_idx(RAMP)) == RAMP).all()


@pytest.mark.parametrize("content", [b"", b"\x00\x00\x08", b"\x00\x00\x0d\x01\x00\x00\x00\x00", b"not an IDX file"])
def test_other_files_are_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="not an IDX file"):
        read_idx(content)


def test_a_truncated_idx_file_is_refused() -> None:
    with pytest.raises(DataError, match=r"of shape \(256, 8, 8\) holds 16383 values"):
        read_idx(write_idx(RAMP)[:-1])


def test_the_validation_split_is_the_last_of_the_training_files(tmp_path: Path) -> None:
    write_tiny(tmp_path)
    splits = load("mnist-binary", tmp_path)
    assert {name: len(split) for name, split in splits.items()} == {
        "train": NUM_TRAIN,
        "validation": NUM_VALIDATION,
        "test": NUM_TEST,
    }
    stored = read_idx((tmp_path / "mnist-binary" / "train-images").read_bytes())
    assert splits["validation"].images.shape == (NUM_VALIDATION, 1, SIDE, SIDE)
    assert (splits["validation"].images[:, 0].numpy() == stored[-NUM_VALIDATION:]).all()


def test_data_that_is_not_there_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="run `python -m training data fashion`"):
        load("fashion", tmp_path)


def test_an_unknown_data_set_lists_those_there_are() -> None:
    with pytest.raises(DataError, match="there are mnist, mnist-binary, fashion"):
        find("cifar")
