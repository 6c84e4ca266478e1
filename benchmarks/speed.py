"""One core's speed: against naive sampling, against the core's peak, out of step, and with a second core."""

import contextlib
from collections.abc import Sequence
from functools import partial

from benchmarks.clock import peak_flops
from benchmarks.nets import LAYERS, SIZE, WIDTH, flops_per_pixel, gated_pixelcnn
from benchmarks.samplers import ROWS, naive, native, torch_interpreter
from benchmarks.svg import Bar, bars
from benchmarks.table import Findings, Table
from benchmarks.threads import bare_slots, engine
from benchmarks.turns import alternate
from engine.native.library import BF16_KERNELS, NativeError, NativeProgram

NET = f"Gated PixelCNN, {LAYERS} layers x {WIDTH}, {SIZE}x{SIZE} binary"
SLOTS = 8
LABELS = {"naive": "naive", "torch": "torch interpreter", "fp32": "native fp32", "bf16": "native bf16"}


def against_naive(images: Sequence[int], rounds: int) -> Findings:
    """Against one forward pass a pixel with the same weights, and against the peak of the core."""
    model = gated_pixelcnn()
    program = model.program()
    natives = {"fp32": NativeProgram(program)}
    with contextlib.suppress(NativeError):
        natives["bf16"] = NativeProgram(program, BF16_KERNELS)
    flops, rows, parts = flops_per_pixel(program), [], []
    for n in images:
        samplers = {
            "naive": naive(model, n, SIZE),
            "torch": torch_interpreter(model, n, SIZE),
            "peak": lambda: 1 / peak_flops(natives["fp32"].kernels),
        }
        num_slots = min(n, SLOTS)  # the others wait for one of these, as in an engine
        samplers |= {name: native(packed, num_slots, SIZE, ROWS) for name, packed in natives.items()}
        took = alternate(samplers, rounds)
        for name in ("naive", "torch", *natives):
            share = f"{flops / took[name] * took['peak']:.1%}"
            ratio, rate = f"x {took['naive'] / took[name]:.0f}", 1 / took[name] / SIZE**2
            rows.append((n, LABELS[name], f"{took[name] * 1e6:.1f}", f"{rate:.3g}", ratio, share))
            parts.append(Bar(f"{n} side by side", LABELS[name], rate, f"{rate:.3g}/s, {ratio}"))
    kernels = ", ".join(packed.kernels for packed in natives.values())
    notes = (
        f"Processor time of one thread, medians of {rounds} turns taken in one process; kernels {kernels}. Naive is "
        "one forward pass of whole images a pixel, the same weights, inference mode, in the faster memory layout. The "
        f"native interpreter draws {SLOTS} images at a time, as an engine does unless it is told otherwise. The share "
        "counts the multiply-adds of the net as it is defined; native fp32 spares some of them by minimal filtering."
    )
    header = ("images", "sampler", "us a pixel", "images/s", "over naive", "of the fp32 FMA peak")
    chart = bars(f"{NET}, one core", "images a second", [bar for bar in parts if bar.group[:2] in ("1 ", "64")])
    return Findings([Table(NET, header, rows, notes)], {"speed.svg": chart})


def staggered(images: Sequence[int], rounds: int) -> Findings:
    """Images that stand at different pixels against images side by side."""
    program = NativeProgram(gated_pixelcnn().program())
    rows = []
    for n in (n for n in images if n > 1):
        turns = max(1, 16 // n)
        took = alternate(
            {"in step": native(program, n, SIZE, turns), "apart": native(program, n, SIZE, turns, 5)}, rounds
        )
        rows.append((n, *(f"{took[name] * 1e6:.2f}" for name in took), f"{took['apart'] / took['in step']:.3f}"))
    header = ("images", "us a pixel, in step", "us a pixel, apart", "ratio")
    return Findings([Table("Slots that stand 5 pixels apart", header, rows, "Processor time of one thread.")])


def two_cores(_: Sequence[int], rounds: int) -> Findings:
    """Two threads over the same weights against one."""
    program, num_images = gated_pixelcnn().program(), 64
    native_program = NativeProgram(program)
    ways = {f"slots {num}": partial(bare_slots, native_program, num, num_images, SIZE) for num in (1, 2)}
    ways |= {f"engine {num}": partial(engine, program, num, num_images, SIZE) for num in (1, 2)}
    rates = alternate(ways, rounds)
    rows = [
        (what, *(f"{rates[f'{name} {num}']:.1f}" for num in (1, 2)), f"{rates[f'{name} 2'] / rates[f'{name} 1']:.2f}")
        for name, what in (("slots", "images divided between the threads"), ("engine", "one engine, one waiting list"))
    ]
    header = ("", "one thread, images/s", "two threads, images/s", "ratio")
    notes = "Wall time: it needs a quiet machine."
    return Findings([Table(f"{num_images} images on one and two cores", header, rows, notes)])
