"""A tiny data set on disk, for runs that take a second."""

from pathlib import Path

import numpy as np

from training.datasets import NUM_VALIDATION, write_idx

NUM_TRAIN, NUM_TEST, SIDE = 90, 30, 5


def write_tiny(root: Path, name: str = "mnist-binary", num_levels: int = 2) -> None:
    """Random images SIDE x SIDE under the file names of data set `name`; the validation split has its full size."""
    random = np.random.default_rng(0)
    (root / name).mkdir(parents=True)
    for split, count in (("train", NUM_TRAIN + NUM_VALIDATION), ("test", NUM_TEST)):
        images = random.integers(0, num_levels, (count, SIDE, SIDE)).astype(np.uint8)
        (root / name / f"{split}-images").write_bytes(write_idx(images))
        (root / name / f"{split}-labels").write_bytes(write_idx(random.integers(0, 10, count).astype(np.uint8)))
