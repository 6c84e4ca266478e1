"""The data sets by name: where their files lie, and how they become tensors."""

import os
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.fetch import (
    FASHION_SHA256,
    FILES,
    MNIST_SHA256,
    DataError,
    fetch_fashion,
    fetch_mnist,
    is_complete,
    write_files,
)

DIGITS = tuple("0123456789")
GARMENTS = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
NUM_VALIDATION = 5_000  # the last of the training files
BINARY_SEED = 20161031
BINARY_SHA256 = {
    "train-images": "d5a198e20b89513558bbed4d46f588a24db0daf82ecaf94db6e122943267fc40",
    "train-labels": MNIST_SHA256["train-labels"],
    "test-images": "a73a4a0a4e1aaea5070c9f4cc12d6f212c879854621f406849a9ca7922f2f155",
    "test-labels": MNIST_SHA256["test-labels"],
}


@dataclass(frozen=True, slots=True)
class Dataset:
    """What is known of a data set before its files are read."""

    name: str
    title: str
    license: str
    num_levels: int
    class_names: tuple[str, ...]
    sha256: Mapping[str, str]
    fetch: Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Split:
    """Images [image, 1, row, col] of integer levels, uint8, and their classes [image], int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.images)


def data_root() -> Path:
    """The data directory: $SCANLINE_DATA, or `data` in the working directory."""
    return Path(os.environ.get("SCANLINE_DATA", "data"))


def prepare(name: str, root: Path) -> Path:
    """Fetch or make data set `name` under `root` unless it is there, checked; its folder. DataError says what to do."""
    dataset = find(name)
    if not is_complete(root / name, dataset.sha256):
        dataset.fetch(root / name)
    return root / name


def load(name: str, root: Path) -> dict[str, Split]:
    """The splits `train`, `validation` and `test` of a prepared data set."""
    folder = root / name
    if not all((folder / file).is_file() for file in FILES):
        raise DataError(f"{folder} is not there: run `python -m training data {name}`")
    arrays = {file: read_idx((folder / file).read_bytes()) for file in FILES}
    train = _split(arrays["train-images"], arrays["train-labels"])
    cut = len(train) - NUM_VALIDATION
    return {
        "train": Split(train.images[:cut], train.labels[:cut]),
        "validation": Split(train.images[cut:], train.labels[cut:]),
        "test": _split(arrays["test-images"], arrays["test-labels"]),
    }


def find(name: str) -> Dataset:
    """The data set called `name`; DataError lists those there are."""
    if name not in DATASETS:
        raise DataError(f"no data set {name!r}; there are {', '.join(DATASETS)}")
    return DATASETS[name]


def read_idx(content: bytes) -> np.ndarray:
    """An IDX file of unsigned bytes as an array; DataError if its size is not what its header says."""
    num_dims = content[3] if len(content) > 3 and content[:3] == b"\x00\x00\x08" else 0
    if not num_dims or len(content) < 4 + 4 * num_dims:
        raise DataError("not an IDX file of unsigned bytes")
    shape = struct.unpack(f">{num_dims}I", content[4 : 4 + 4 * num_dims])
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * num_dims)
    if values.size != int(np.prod(shape)):
        raise DataError(f"an IDX file of shape {shape} holds {values.size} values")
    return values.reshape(shape)


def write_idx(array: np.ndarray) -> bytes:
    """The inverse of `read_idx`."""
    return b"\x00\x00\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def binarise(images: np.ndarray, stream: int) -> np.ndarray:
    """One Bernoulli draw per pixel with p = intensity / 255: uint8 zeros and ones, the same on every machine.

    Philox (numpy) keyed by (BINARY_SEED, stream); a pixel is 1 when its 32-bit number u satisfies
    u * 255 < intensity * 2^32, in integers, so that no rounding of floats enters.
    """
    generator = np.random.Philox(key=np.array([BINARY_SEED, stream], np.uint64))
    words = generator.random_raw((images.size + 1) // 2)
    u = np.stack([words & np.uint64(0xFFFFFFFF), words >> np.uint64(32)], 1).reshape(-1)[: images.size]
    drawn = u * np.uint64(255) < images.reshape(-1).astype(np.uint64) << np.uint64(32)
    return drawn.astype(np.uint8).reshape(images.shape)


def _split(images: np.ndarray, labels: np.ndarray) -> Split:
    return Split(torch.from_numpy(images.copy()).unsqueeze(1), torch.from_numpy(labels.astype(np.int64)))


def _make_binary(directory: Path) -> None:
    source = prepare("mnist", directory.parent)
    contents = {file: (source / file).read_bytes() for file in FILES}
    for stream, file in enumerate(("train-images", "test-images")):
        contents[file] = write_idx(binarise(read_idx(contents[file]), stream))
    write_files(directory, contents, BINARY_SHA256)


_MNIST_LICENSE = "CC BY-SA 3.0"
DATASETS = {
    d.name: d
    for d in (
        Dataset("mnist", "MNIST", _MNIST_LICENSE, 256, DIGITS, MNIST_SHA256, fetch_mnist),
        Dataset(
            "mnist-binary",
            f"MNIST, binarised once by a Bernoulli draw per pixel (seed {BINARY_SEED})",
            _MNIST_LICENSE,
            2,
            DIGITS,
            BINARY_SHA256,
            _make_binary,
        ),
        Dataset("fashion", "Fashion-MNIST", "MIT", 256, GARMENTS, FASHION_SHA256, fetch_fashion),
    )
}
