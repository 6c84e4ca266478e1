"""A PNG that grows: at every moment a whole file, whose pixels are those that came."""

import io

import numpy as np
import pytest
from PIL import Image

from app.growing_png import GrowingPng


def opened(picture: GrowingPng) -> np.ndarray:
    with Image.open(io.BytesIO(picture.file())) as image:
        assert (image.format, image.mode) == ("PNG", "RGBA")
        return np.asarray(image)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("width", [1, 7])
def test_it_shows_the_rows_that_came_and_leaves_the_others_transparent(channels: int, width: int) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, width, channels)).astype(np.uint8)
    picture, come = GrowingPng(9, width), 0
    for count in (0, 1, 3, 0, 4, 1):
        picture.add(pixels[come : come + count])
        come += count
        image = opened(picture)
        assert picture.rows == come and image.shape == (9, width, 4)
        assert (image[:come, :, :3] == pixels[:come]).all() and (image[:come, :, 3] == 255).all()
        assert (image[come:] == 0).all()
