"""Dead leaves: opaque discs dropped until they cover the canvas (Lee, Mumford & Huang 2001; Jeulin 1997).

Radii have a density proportional to r^-3 between R_MIN and R_MAX, which makes the picture alike at all scales between;
centres are uniform over the canvas and a margin of R_MAX; every disc has one grey, uniform on GREYS. The canvas is
drawn SUPERSAMPLING times finer and averaged down, which softens the edges as a lens does; then Gaussian noise of NOISE
grey levels is added, and the sum is rounded and clipped to 0..255. Without noise the inside of a disc would be constant
and its density as large as the dequantisation allows. Figures on these images stand beside no others.
"""

import numpy as np
import numpy.typing as npt

SIDE = 256
R_MIN, R_MAX = 2.0, 64.0  # pixels
GREYS = (16.0, 240.0)
NOISE = 2.0  # grey levels
SUPERSAMPLING = 2
_DISCS_AT_ONCE = 4096


def dead_leaves(seed: int, side: int = SIDE) -> npt.NDArray[np.uint8]:
    """One image [side, side]; the same for a seed."""
    rng = np.random.Generator(np.random.Philox(seed))
    fine = _discs(rng, side * SUPERSAMPLING)
    coarse = fine.reshape(side, SUPERSAMPLING, side, SUPERSAMPLING).mean((1, 3))
    noisy = coarse + NOISE * rng.standard_normal(coarse.shape)
    levels: npt.NDArray[np.uint8] = np.rint(noisy).clip(0, 255).astype(np.uint8)
    return levels


def _discs(rng: np.random.Generator, side: int) -> npt.NDArray[np.float64]:
    """Front to back: a disc shows only where nothing lies over it yet."""
    low, high = R_MIN * SUPERSAMPLING, R_MAX * SUPERSAMPLING
    canvas, is_bare = np.zeros((side, side)), np.ones((side, side), bool)
    while is_bare.any():
        radii = (low**-2 - rng.random(_DISCS_AT_ONCE) * (low**-2 - high**-2)) ** -0.5
        rows, cols = rng.uniform(-high, side + high, (2, _DISCS_AT_ONCE))
        greys = rng.uniform(*GREYS, _DISCS_AT_ONCE)
        for radius, row, col, grey in zip(radii, rows, cols, greys, strict=True):
            box = tuple(slice(max(0, int(x - radius)), max(0, int(x + radius) + 2)) for x in (row, col))
            bare = is_bare[box]
            if not bare.any():
                continue
            y = np.arange(box[0].start, box[0].start + bare.shape[0]) + 0.5 - row
            x = np.arange(box[1].start, box[1].start + bare.shape[1]) + 0.5 - col
            shown = bare & (y[:, None] ** 2 + x**2 <= radius**2)
            canvas[box][shown] = grey
            bare[shown] = False
    return canvas
