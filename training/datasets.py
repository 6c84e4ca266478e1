"""The data sets by name: where their files lie, and how they become tensors."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from training.emoji import EMOJI_SHA256, GROUPS, NUM_EMOJI_VALIDATION, emoji_fetcher
from training.emoji_tags import EMOJI_TAGS_SHA256, SHOWN_TAGS, TAGS, emoji_tags_fetcher
from training.faces import FACES_LEVELS, FACES_SHA256, NUM_FACES_VALIDATION, PEOPLE, fetch_faces
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
from training.greys import (
    BSDS300_SHA256,
    DEAD_LEAVES_SHA256,
    TEXTURES_SHA256,
    fetch_bsds300,
    make_dead_leaves,
    texture_fetcher,
)
from training.idx import read_idx, write_idx
from training.smileys import (
    FACE_MAKERS,
    NUM_FACE_SMILEYS_VALIDATION,
    NUM_SMILEYS_VALIDATION,
    SHOWN_SMILEYS,
    SMILEY_TAGS,
    SMILEYS16_SHA256,
    SMILEYS64_SHA256,
    SMILEYS_SHA256,
    coarse_faces,
    fetch_face_smileys,
    fetch_smileys,
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
    """What is known of a data set before its files are read; they tell how high and wide its images are.

    `class_names` where every image has one class, `tag_names` where it has some of several tags; a density's has none.
    `shown_tags`: pairs of tags whose samples a card shows.
    `num_validation`: how many images, the last of its training files, validate; of no meaning for a density's set.
    """

    name: str
    title: str
    license: str
    num_levels: int
    class_names: tuple[str, ...]
    sha256: Mapping[str, str]
    fetch: Callable[[Path], None]
    channels: int = 1
    num_validation: int = NUM_VALIDATION
    tag_names: tuple[str, ...] = ()
    shown_tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Split:
    """Images [image, channel, row, col] of integer levels, uint8, and what is told of them.

    `labels`: classes [image], int64; or tags [image, tag], 0 or 1; or embeddings [image, size], float32;
    or maps [image, number, row, col], see `training.maps`.
    """

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
    folder, dataset = root / name, find(name)
    if not all((folder / file).is_file() for file in FILES):
        raise DataError(f"{folder} is not there: run `python -m training data {name}`")
    arrays = {file: read_idx((folder / file).read_bytes()) for file in FILES}
    train = _split(arrays["train-images"], arrays["train-labels"])
    if train.images.shape[1] != dataset.channels:
        raise DataError(f"{name} has {train.images.shape[1]} channels, not {dataset.channels}")
    cut = len(train) - dataset.num_validation
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


def _make_coarse_emoji(directory: Path) -> None:
    source = prepare("emoji64", directory.parent)
    contents = {file: (source / file).read_bytes() for file in FILES}
    for file in ("train-images", "test-images"):
        contents[file] = write_idx(np.ascontiguousarray(read_idx(contents[file])[:, ::4, ::4]))
    write_files(directory, contents, EMOJI_SHA256[16])


def _make_coarse_faces(directory: Path) -> None:
    source = prepare("smileys64", directory.parent)
    write_files(directory, coarse_faces({file: (source / file).read_bytes() for file in FILES}), SMILEYS16_SHA256)


def _split(images: np.ndarray, labels: np.ndarray) -> Split:
    """Images as they are stored: [image, row, col] or [image, row, col, channel]."""
    maps = images[:, None] if images.ndim == 3 else np.moveaxis(images, -1, 1)
    return Split(torch.from_numpy(maps.copy()), torch.from_numpy(labels.astype(np.int64)))


def _make_binary(directory: Path) -> None:
    source = prepare("mnist", directory.parent)
    contents = {file: (source / file).read_bytes() for file in FILES}
    for stream, file in enumerate(("train-images", "test-images")):
        contents[file] = write_idx(binarise(read_idx(contents[file]), stream))
    write_files(directory, contents, BINARY_SHA256)


_MNIST_LICENSE = "CC BY-SA 3.0"
_SMILEYS_LICENSE = (
    "Apache-2.0 (Noto), CC BY 4.0 (Twemoji, EmojiOne 2), MIT (Fluent), CC BY-SA 4.0 (OpenMoji, EmojiOne 1)"
)
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
        *(
            Dataset(
                f"emoji{side}",
                f"emoji of Google (Noto) and Twitter (Twemoji) on white, {side}x{side}",
                "Apache-2.0 (Noto), CC BY 4.0 (Twemoji)",
                256,
                tuple(GROUPS.values()),
                sha256,
                _make_coarse_emoji if side == 16 else emoji_fetcher(side),
                channels=3,
                num_validation=NUM_EMOJI_VALIDATION,
            )
            for side, sha256 in EMOJI_SHA256.items()
        ),
        Dataset(
            "emoji32-tags",
            "emoji of Google (Noto) and Twitter (Twemoji) on white, 32x32, with tags",
            "Apache-2.0 (Noto), CC BY 4.0 (Twemoji)",
            256,
            (),
            EMOJI_TAGS_SHA256,
            emoji_tags_fetcher(32),
            channels=3,
            num_validation=NUM_EMOJI_VALIDATION,
            tag_names=TAGS,
            shown_tags=SHOWN_TAGS,
        ),
        Dataset(
            "smileys",
            "smileys of Noto, Twemoji, Fluent, OpenMoji and EmojiOne on white, 32x32, with tags",
            _SMILEYS_LICENSE,
            256,
            (),
            SMILEYS_SHA256,
            fetch_smileys,
            channels=3,
            num_validation=NUM_SMILEYS_VALIDATION,
            tag_names=SMILEY_TAGS,
            shown_tags=SHOWN_SMILEYS,
        ),
        *(
            Dataset(
                f"smileys{side}",
                f"faces among the smileys of seven makers on white, {side}x{side}",
                _SMILEYS_LICENSE,
                256,
                FACE_MAKERS,
                sha256,
                fetch,
                channels=3,
                num_validation=NUM_FACE_SMILEYS_VALIDATION,
            )
            for side, sha256, fetch in (
                (16, SMILEYS16_SHA256, _make_coarse_faces),
                (64, SMILEYS64_SHA256, fetch_face_smileys),
            )
        ),
        Dataset(
            "faces",
            "ORL faces, 40 people, 32x32, 32 levels of grey",
            "research use, credit AT&T Laboratories Cambridge",
            FACES_LEVELS,
            PEOPLE,
            FACES_SHA256,
            fetch_faces,
            num_validation=NUM_FACES_VALIDATION,
        ),
        Dataset(
            "bsds300",
            "BSDS300 in grey",
            "research and education, credit Martin et al. 2001",
            256,
            (),
            BSDS300_SHA256,
            fetch_bsds300,
        ),
        Dataset("deadleaves", "dead leaves", "CC0 1.0", 256, (), DEAD_LEAVES_SHA256, make_dead_leaves),
        *(
            Dataset(f"texture-{name}", f"{name}, a texture", "CC0 1.0", 256, (), sha256, texture_fetcher(name))
            for name, sha256 in TEXTURES_SHA256.items()
        ),
    )
}
