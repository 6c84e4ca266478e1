"""RIDE drawn pixel by pixel and a front at a time, by both interpreters; how that grows; how fast images are scored."""

from collections.abc import Sequence
from dataclasses import replace

import torch

from benchmarks.clock import peak_flops, seconds
from benchmarks.memory import slot_bytes
from benchmarks.nets import flops_per_pixel
from benchmarks.samplers import native_images, torch_fronts, torch_interpreter
from benchmarks.statistic import exponent
from benchmarks.table import Findings, Table
from benchmarks.turns import alternate
from engine.native.library import NativeProgram
from models.program import Affine, Feature, Phase, Program, Ref
from models.ride import RIDE

UNITS, SIZE, SIZES = 64, 256, (64, 128, 256, 512, 1024)
PHOTOGRAPH = (321, 481)
MS, US, KB = 1e3, 1e6, 1e-3
PIXEL_BYTES = 4 + 8
"""Of an image in a slot: a pixel, and its log p."""


def ride(_: Sequence[int], rounds: int) -> Findings:
    """One layer of 64 units over 12 neighbours, 32 components of 4 scales; random weights."""
    torch.manual_seed(0)
    model = RIDE(UNITS).eval()
    flops, peak = flops_of(model), max(peak_flops("") for _ in range(5))
    return Findings([_ways(model, flops, peak, rounds), _growth(model, rounds), _scoring(model, flops, peak, rounds)])


def pixel_by_pixel(program: Program) -> Program:
    """The same distribution with a row phase, which computes what nobody reads: fronts may not be drawn together."""
    begun = next(k for k, phase in enumerate(program.phases) if phase.kind == "pixel")
    row = Phase("row", (Affine(Ref("unread", 0, 1), ()),))
    phases = (*program.phases[:begun], row, *program.phases[begun:])
    return replace(program, features=(*program.features, Feature("unread", 1)), phases=phases)


def flops_of(model: RIDE) -> int:
    """Multiplications and additions of a pixel: its affine maps, and the matrices of its MCGSM."""
    head = model.head
    (num_features, size), (num_components, _) = head.features.shape, head.priors.shape
    products = num_features * (size + num_components) + 2 * num_components * size
    return flops_per_pixel(model.program()) + 2 * products


def _ways(model: RIDE, flops: int, peak: float, rounds: int) -> Table:
    program = model.program()
    one_by_one, fronts = (NativeProgram(p) for p in (pixel_by_pixel(program), program))
    ways = {
        "torch, pixel by pixel (from one row)": torch_interpreter(model, 1, SIZE, rows=1),
        "torch, fronts": torch_fronts(program, 1, SIZE),
        "native, pixel by pixel": native_images(one_by_one, 1, SIZE),
        "native, fronts": native_images(fronts, 1, SIZE),
    }
    took = alternate(ways, rounds)
    slowest = max(took.values())
    rows = [
        (way, f"{s * SIZE**2 * MS:.0f}", f"x {slowest / s:.0f}", f"{flops / s / peak:.0%}") for way, s in took.items()
    ]
    notes = (
        f"One image of {SIZE}x{SIZE}, {UNITS} units, 12 neighbours; processor time of one thread, median of {rounds} "
        f"turns. {flops / 1e3:.0f} kFLOP a pixel in matrix products, of {peak / 1e9:.0f} GFLOP/s. Each "
        "interpreter draws the same bytes both ways."
    )
    return Table("RIDE: an image", ("way", "ms", "ratio", "of the FMA peak"), rows, notes)


def _growth(model: RIDE, rounds: int) -> Table:
    native = NativeProgram(model.program())
    took = alternate({str(size): native_images(native, 1, size) for size in SIZES}, rounds)
    times = [took[str(size)] for size in SIZES]
    rows: list[tuple[object, ...]] = []
    memory: list[float] = []
    for size, time in zip(SIZES, times, strict=True):
        slot = slot_bytes(native, size) or 0.0
        memory.append(slot - size**2 * PIXEL_BYTES)
        rows.append((f"{size}x{size}", f"{time * US:.3f}", f"{time * size**2 * MS:.1f}", f"{memory[-1] * KB:.0f}"))
    fits = exponent([size**2 for size in SIZES], [time * size**2 for time, size in zip(times, SIZES, strict=True)])
    rows.append(("growth", "", f"pixels^{fits:.3f}", f"columns^{exponent(SIZES, memory):.2f}"))
    header = ("image", "us a pixel", "ms an image", "kB a slot beside the image")
    return Table("RIDE: growth, native, fronts", header, rows)


def _scoring(model: RIDE, flops: int, peak: float, rounds: int) -> Table:
    image = torch.randn(1, 1, *PHOTOGRAPH)

    def score() -> None:
        with torch.no_grad():
            model.log_prob(image)

    score()
    took = alternate({"": lambda: seconds(score)}, rounds)[""]
    bound = flops * image.numel() / peak
    row = (f"{PHOTOGRAPH[1]}x{PHOTOGRAPH[0]}", f"{took * MS:.0f}", f"{bound * MS:.0f}", f"x {took / bound:.2f}")
    return Table("RIDE: scoring", ("image", "ms", "ms for its products at the FMA peak", "of that"), [row])
