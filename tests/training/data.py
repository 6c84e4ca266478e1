"""A tiny data set on disk, for runs that take a second."""

from pathlib import Path

import numpy as np

from training.datasets import find
from training.idx import write_idx

NUM_TRAIN, NUM_TEST, SIDE = 90, 30, 5


def write_tiny(root: Path, name: str = "mnist-binary", num_levels: int = 2) -> None:
    """Random images SIDE x SIDE under the file names of data set `name`; the validation split has its full size."""
    random, dataset = np.random.default_rng(0), find(name)
    shape = (SIDE, SIDE) if dataset.channels == 1 else (SIDE, SIDE, dataset.channels)
    (root / name).mkdir(parents=True)
    for split, count in (("train", NUM_TRAIN + dataset.num_validation), ("test", NUM_TEST)):
        images = random.integers(0, num_levels, (count, *shape)).astype(np.uint8)
        (root / name / f"{split}-images").write_bytes(write_idx(images))
        if dataset.tag_names:
            labels = random.integers(0, 2, (count, len(dataset.tag_names))).astype(np.uint8)
        else:
            labels = random.integers(0, len(dataset.class_names), count).astype(np.uint8)
        (root / name / f"{split}-labels").write_bytes(write_idx(labels))
