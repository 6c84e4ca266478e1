"""Ways that are measured in turns, so that all of them meet the same disturbances."""

from collections.abc import Callable, Mapping
from statistics import median


def alternate(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, float]:
    """Median of what each way measured over `rounds` turns."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, measure in ways.items():
            found[name].append(measure())
    return {name: median(values) for name, values in found.items()}
