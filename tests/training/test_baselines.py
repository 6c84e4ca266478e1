import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from training.baselines import baselines, histogram_bits, png_bits
from training.datasets import Split


def test_the_histogram_by_hand() -> None:
    train = torch.tensor([[[[0, 1]]], [[[0, 2]]]], dtype=torch.uint8)  # two images of two sub-pixels, three levels
    test = torch.tensor([[[[0, 1]]], [[[1, 0]]]], dtype=torch.uint8)
    # counts from one: sub-pixel 0 is (3, 1, 1) / 5, sub-pixel 1 is (1, 2, 2) / 5
    expected = [-(math.log2(3 / 5) + math.log2(2 / 5)) / 2, -(math.log2(1 / 5) + math.log2(1 / 5)) / 2]
    assert histogram_bits(train, test, 3).tolist() == pytest.approx(expected)


def test_no_code_of_random_levels_needs_less_than_their_entropy() -> None:
    images = torch.randint(0, 256, (300, 3, 8, 8), generator=torch.Generator().manual_seed(0)).byte()
    assert histogram_bits(images[:200], images[200:], 256).mean() > 8
    assert png_bits(images).mean() > 8


def test_png_counts_every_byte_of_files_that_hold_the_image() -> None:
    image = np.arange(12 * 10 * 3, dtype=np.uint8).reshape(12, 10, 3)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=True)
    maps = torch.from_numpy(image).movedim(-1, 0)[None]
    assert png_bits(maps).tolist() == [8 * len(file.getvalue()) / image.size]


def test_both_are_of_the_test_images_alone() -> None:
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (40, 3, 4, 4), generator=generator).byte()
    flat = torch.zeros(40, 3, 4, 4, dtype=torch.uint8)
    labels = torch.zeros(40, dtype=torch.int64)
    found = baselines({"train": Split(flat, labels), "test": Split(flat[:9], labels[:9])}, 256)
    assert found.histogram.mean == pytest.approx(math.log2(296 / 41), abs=1e-4)
    assert found.histogram.standard_error == 0
    other = baselines({"train": Split(noise, labels), "test": Split(flat[:9], labels[:9])}, 256)
    assert other.png == found.png and other.histogram.mean > 7
