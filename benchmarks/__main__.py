"""How fast images are drawn and scored, alone and through the whole service: `python -m benchmarks`.

Prints Markdown tables. A full run, of about eight minutes, writes them to benchmarks/results.md and their figures to
docs/figures/. Compared samplers take turns in this process, and medians count. The machine should be quiet.
"""

import argparse
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from benchmarks.conditions import conditions
from benchmarks.family import family
from benchmarks.growth import growth
from benchmarks.inpaint import inpainting
from benchmarks.machine import load_average, machine
from benchmarks.ride import ride
from benchmarks.rounding import rounding
from benchmarks.scoring import scoring
from benchmarks.serving import serving
from benchmarks.speed import against_naive, staggered, two_cores
from benchmarks.table import Findings

PARTS: dict[str, Callable[[Sequence[int], int], Findings]] = {
    "naive": against_naive,
    "stagger": staggered,
    "cores": two_cores,
    "growth": growth,
    "family": family,
    "ride": ride,
    "inpaint": inpainting,
    "bf16": rounding,
    "conditions": conditions,
    "scoring": scoring,
    "serving": serving,
}
RESULTS = Path(__file__).parent / "results.md"
FIGURES = Path(__file__).parents[1] / "docs" / "figures"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, nargs="+", default=[1, 4, 16, 64], help="images drawn side by side")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each sampler")
    parser.add_argument("--only", choices=list(PARTS), help="one of the parts; it is printed, and no file is written")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))  # so that what was started is ended
    tables, figures = [machine().markdown()], dict[str, str]()
    print(tables[0])
    for name in [arguments.only] if arguments.only else PARTS:
        found = run(name, arguments.images, arguments.rounds)
        figures |= found.figures
        for table in found.tables:
            tables.append(table.markdown())
            print(tables[-1], flush=True)
    if not arguments.only:
        write(tables, figures)


def run(name: str, images: Sequence[int], rounds: int) -> Findings:
    """One part."""
    print(f"{name}: load average {load_average()}", file=sys.stderr, flush=True)
    started = time.perf_counter()
    found = PARTS[name](images, rounds)
    print(f"{name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)
    return found


def write(tables: Sequence[str], figures: Mapping[str, str]) -> None:
    """What all parts have found, at once: figures and tables are of the same run."""
    RESULTS.write_text("# Measured by `make bench`\n\n" + "\n".join(tables))
    FIGURES.mkdir(parents=True, exist_ok=True)
    for file_name, svg in figures.items():
        (FIGURES / file_name).write_text(svg)


if __name__ == "__main__":
    main()
