"""A tiny set of grey images on disk: smooth noise in two sizes."""

from pathlib import Path

import numpy as np

from training.idx import write_idx

SHAPES = {"train": (14, 11), "validation": (14, 11), "test": (9, 13)}


def write_greys(root: Path, name: str = "bsds300") -> None:
    """Four images of each of two orientations in every split."""
    random = np.random.default_rng(0)
    (root / name).mkdir(parents=True)
    for split, (rows, cols) in SHAPES.items():
        for height, width in ((rows, cols), (cols, rows)):
            noise = random.normal(size=(4, height + 3, width + 3)).cumsum(1).cumsum(2)
            smooth = noise[:, 3:, 3:] - noise[:, :-3, 3:] - noise[:, 3:, :-3] + noise[:, :-3, :-3]
            images = (120 + 25 * smooth).clip(0, 255).astype(np.uint8)
            (root / name / f"{split}-{height}x{width}").write_bytes(write_idx(images))
