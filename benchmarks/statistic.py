"""Exponents and percentiles."""

import math
from collections.abc import Sequence


def exponent(xs: Sequence[float], ys: Sequence[float]) -> float:
    """b of the power law y = a x^b that fits best: the slope of the least-squares line through (log x, log y)."""
    log_x, log_y = [math.log(x) for x in xs], [math.log(y) for y in ys]
    mean_x, mean_y = sum(log_x) / len(log_x), sum(log_y) / len(log_y)
    spread = sum((x - mean_x) ** 2 for x in log_x)
    return sum((x - mean_x) * (y - mean_y) for x, y in zip(log_x, log_y, strict=True)) / spread


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least `percent` per cent of them do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]
