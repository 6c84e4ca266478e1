import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.statistic import exponent, percentile


@given(power=st.floats(-3, 3), factor=st.floats(1e-6, 1e6))
def test_the_exponent_of_a_power_law_is_its_power(power: float, factor: float) -> None:
    xs = [28.0**2, 64.0**2, 128.0**2, 256.0**2]
    assert exponent(xs, [factor * x**power for x in xs]) == pytest.approx(power, abs=1e-9)


def test_every_point_counts_for_the_exponent() -> None:
    assert exponent([1, 2, 4], [1, 4, 4]) == pytest.approx(
        1.0
    )  # the ends alone say so; the middle pulls the level only
    assert exponent([1, 2, 4, 8], [1, 4, 4, 8]) == pytest.approx(0.9)
    assert math.isclose(exponent([1, 10], [5, 500]), 2.0)


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(k) for k in range(100, 0, -1)]
    assert [percentile(values, p) for p in (0, 50, 95, 100)] == [1, 50, 95, 100]
    assert percentile([7.0], 95) == 7
    assert percentile([1.0, 2.0], 51) == 2
