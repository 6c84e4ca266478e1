"""From pixels to a model's levels and back."""

from dataclasses import replace

import numpy as np
import pytest

from app.errors import ApiError, Code
from app.levels import Fit, Levels, to_bytes, to_levels
from app.uploads import Upload
from tests.app.parts import CLOTHES, COLOUR, INK, black_and_white, grey
from worker.protocol import Card


def upload(pixels: np.ndarray) -> Upload:
    return Upload(pixels if pixels.ndim == 3 else pixels[:, :, np.newaxis], None, {})


def converted(pixels: np.ndarray, card: Card, fit: Fit = "reject", levels: Levels = "reject") -> np.ndarray:
    size = (card.height or pixels.shape[0], card.width or pixels.shape[1])
    return to_levels(upload(pixels), card, size, fit, levels, "image")


def refused(pixels: np.ndarray, card: Card) -> str:
    with pytest.raises(ApiError) as caught:
        converted(pixels, card)
    assert (caught.value.code, caught.value.param) == (Code.IMAGE_DOES_NOT_FIT, "image")
    return caught.value.message


def test_a_grey_image_of_the_right_size_is_taken_as_it_is() -> None:
    assert (converted(grey(), CLOTHES)[:, :, 0] == grey()).all()


def test_another_size_is_refused_and_the_right_one_named() -> None:
    message = refused(grey(9, 9), CLOTHES)
    assert "9x9" in message and "6x8" in message and "`fit=resize`" in message


def test_another_size_is_resized_when_asked() -> None:
    assert converted(np.full((80, 60), 7, np.uint8), CLOTHES, fit="resize")[:, :, 0].tolist() == [[7] * 6] * 8


def test_grey_given_as_rgb_is_grey() -> None:
    assert (converted(np.repeat(grey()[:, :, np.newaxis], 3, 2), CLOTHES)[:, :, 0] == grey()).all()


def test_colour_is_refused_by_a_grey_model() -> None:
    message = refused(np.stack([grey(), grey(), 255 - grey()], 2), CLOTHES)
    assert "in colour" in message and "`grayscale=true`" in message


def test_grey_becomes_three_channels_for_a_colour_model() -> None:
    assert (converted(grey(), COLOUR) == grey()[:, :, np.newaxis]).all()


def test_black_and_white_is_taken_by_a_binary_model() -> None:
    assert (converted(black_and_white(), INK)[:, :, 0] == grey() % 2).all()


def test_grey_values_are_refused_by_a_binary_model_unless_a_threshold_is_asked_for() -> None:
    message = refused(grey() * 5, INK)
    assert "0 and 255" in message and "`levels=threshold`" in message
    assert (converted(grey() * 5, INK, levels="threshold")[:, :, 0] == (grey() * 5 >= 128)).all()


@pytest.mark.parametrize("num_levels", [2, 4, 16, 255, 256])
def test_levels_survive_the_way_to_bytes_and_back(num_levels: int) -> None:
    card = replace(COLOUR, channels=1, num_levels=num_levels)
    levels = np.arange(num_levels, dtype=np.uint8)[:, np.newaxis, np.newaxis]
    pixels = to_bytes(levels, num_levels)
    assert (pixels[0], pixels[-1]) == (0, 255)
    assert (converted(pixels, card) == levels).all()
