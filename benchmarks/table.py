"""Samplers measured in turns, so that all of them meet the same disturbances, and what is printed of it."""

from collections.abc import Mapping, Sequence
from statistics import median

from benchmarks.samplers import Sampler


def alternate(samplers: Mapping[str, Sampler], rounds: int) -> dict[str, float]:
    """Median seconds a pixel of each sampler over `rounds` turns."""
    times: dict[str, list[float]] = {name: [] for name in samplers}
    for _ in range(rounds):
        for name, sampler in samplers.items():
            times[name].append(sampler())
    return {name: median(values) for name, values in times.items()}


def markdown(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table as Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines) + "\n"
