"""Which pixels a mask keeps."""

import numpy as np
import pytest

from app.errors import ApiError, Code
from app.masks import fitted, kept_by_alpha, kept_by_mask
from app.uploads import Upload

OPAQUE = np.full((2, 2), 255, np.uint8)


def mask(values: list[list[int]], alpha: list[list[int]] | None = None) -> Upload:
    pixels = np.array(values, np.uint8)[:, :, np.newaxis]
    return Upload(pixels, None if alpha is None else np.array(alpha, np.uint8), {})


def test_dark_is_drawn_and_light_is_kept() -> None:
    assert kept_by_mask(mask([[0, 255], [127, 128]])).tolist() == [[False, True], [False, True]]


def test_transparent_is_drawn_whatever_its_colour() -> None:
    kept = kept_by_mask(mask([[255, 255], [255, 0]], alpha=[[0, 255], [127, 255]]))
    assert kept.tolist() == [[False, True], [False, False]]


def test_an_images_own_transparency_can_be_the_mask() -> None:
    assert kept_by_alpha(mask([[9, 9], [9, 9]], alpha=[[0, 255], [255, 255]])).tolist() == [[False, True], [True, True]]


def test_the_blob_has_one_byte_a_pixel() -> None:
    kept = np.array([[True, False], [True, True]])
    assert fitted(kept, mask([[0, 0], [0, 0]]), (2, 2), "reject", "mask") == b"\1\0\1\1"


def test_a_mask_is_resized_with_its_image() -> None:
    kept = np.array([[True, False], [True, False]])
    assert fitted(kept, mask([[0, 0], [0, 0]]), (2, 4), "resize", "mask") == b"\1\1\0\0" * 2


def test_a_mask_of_another_size_than_its_image_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        fitted(np.ones((3, 2), bool), mask([[0, 0], [0, 0]]), (2, 2), "reject", "mask")
    assert caught.value.code == Code.IMAGE_DOES_NOT_FIT
    assert "2x3" in caught.value.message and "2x2" in caught.value.message


def test_a_mask_that_keeps_everything_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        fitted(np.ones((2, 2), bool), mask([[0, 0], [0, 0]]), (2, 2), "reject", "mask")
    assert caught.value.code == Code.NOTHING_TO_DRAW
