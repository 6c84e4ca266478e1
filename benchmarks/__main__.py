"""How fast images are drawn: `python -m benchmarks`, on one core, in about two minutes; prints Markdown tables.

Every figure is processor time of one thread. Samplers that are compared take turns in this process, and medians count.
"""

import argparse
import contextlib
import math
from collections.abc import Sequence
from statistics import median

import torch

from benchmarks.clock import machine, peak_flops
from benchmarks.divergence import divergence
from benchmarks.nets import flops_per_pixel, gated_pixelcnn
from benchmarks.samplers import naive, native, torch_interpreter
from benchmarks.table import alternate, markdown
from benchmarks.threads import images_per_second
from engine.native.library import BF16_KERNELS, NativeError, NativeProgram

LAYERS, WIDTH, SIZE = 15, 64, 28
NUM_DIVERGENCE_IMAGES = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="+", default=[1, 4, 16, 64], help="images drawn side by side")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each sampler")
    parser.add_argument("--only", choices=["naive", "stagger", "size", "cores", "bf16"], help="one of the tables")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(markdown(("machine", ""), list(machine().items())))
    tables = {"naive": against_naive, "stagger": staggered, "cores": two_cores, "size": against_size, "bf16": rounding}
    for name, table in tables.items():
        if arguments.only in (None, name):
            print(table(arguments.images, arguments.rounds))


def against_naive(images: Sequence[int], rounds: int) -> str:
    """Against one forward pass a pixel with the same weights, and against the peak of the core."""
    model = gated_pixelcnn(LAYERS, WIDTH)
    program = model.program()
    natives = {"fp32": NativeProgram(program)}
    with contextlib.suppress(NativeError):
        natives["bf16"] = NativeProgram(program, BF16_KERNELS)
    flops, rows = flops_per_pixel(program), []
    for n in images:
        samplers = {
            "naive": naive(model, n, SIZE),
            "torch": torch_interpreter(model, n, SIZE),
            "peak": lambda: 1 / peak_flops(natives["fp32"].kernels),
        }
        for name, packed in natives.items():
            samplers[name] = native(packed, n, SIZE, rows=max(2, 16 // n))
        took = alternate(samplers, rounds)
        for name in ("naive", "torch", *natives):
            share = f"{flops / took[name] * took['peak']:.1%}"
            ratio = f"x {took['naive'] / took[name]:.0f}"
            rows.append((n, name, f"{took[name] * 1e6:.1f}", f"{1 / took[name] / SIZE**2:.3g}", ratio, share))
    kernels = ", ".join(packed.kernels for packed in natives.values())
    title = f"Gated PixelCNN, {LAYERS} layers x {WIDTH}, {SIZE}x{SIZE} binary, kernels {kernels}\n\n"
    header = ("images", "sampler", "us a pixel", "images/s", "over naive", "of the fp32 FMA peak")
    return title + markdown(header, rows)


def staggered(images: Sequence[int], rounds: int) -> str:
    """Images that stand at different pixels against images side by side."""
    program = NativeProgram(gated_pixelcnn(LAYERS, WIDTH).program())
    rows = []
    for n in (n for n in images if n > 1):
        turns = max(1, 16 // n)
        took = alternate(
            {"in step": native(program, n, SIZE, turns), "apart": native(program, n, SIZE, turns, 5)}, rounds
        )
        rows.append((n, *(f"{took[name] * 1e6:.2f}" for name in took), f"{took['apart'] / took['in step']:.3f}"))
    return "Slots that stand 5 pixels apart\n\n" + markdown(("images", "us in step", "us apart", "ratio"), rows)


def against_size(_: Sequence[int], rounds: int) -> str:
    """Time of a pixel against the size of the image; the exponent is that of a whole image's time in its pixels."""
    program, sizes = NativeProgram(gated_pixelcnn(LAYERS, WIDTH).program()), (28, 64, 128, 256)
    took = alternate({str(size): native(program, 4, size, rows=1) for size in sizes}, rounds)
    first, last = took[str(sizes[0])], took[str(sizes[-1])]
    exponent = 1 + math.log(last / first) / math.log((sizes[-1] / sizes[0]) ** 2)
    rows = [(f"{size}x{size}", f"{took[str(size)] * 1e6:.2f}", f"{took[str(size)] * size**2:.3f}") for size in sizes]
    title = f"4 images by size; total time grows with pixels^{exponent:.3f}\n\n"
    return title + markdown(("size", "us a pixel", "s an image"), rows)


def two_cores(_: Sequence[int], rounds: int) -> str:
    """Two lanes in two threads over the same weights against one, by the clock on the wall: needs a quiet machine."""
    program = NativeProgram(gated_pixelcnn(LAYERS, WIDTH).program())
    rates = {num: median(images_per_second(program, num, 32 // num, SIZE) for _ in range(rounds)) for num in (1, 2)}
    rows = [(num, f"{rates[num]:.1f}", f"{rates[num] / rates[1]:.2f}") for num in rates]
    return "32 images by threads, wall clock\n\n" + markdown(("threads", "images/s", "ratio"), rows)


def rounding(_: Sequence[int], __: int) -> str:
    """What bfloat16 changes: the mean of log p - log q over images drawn from p, the float32 net; q is the rounded."""
    program = gated_pixelcnn(LAYERS, WIDTH).program()
    mean, error = divergence(program, NUM_DIVERGENCE_IMAGES, SIZE)
    return (
        f"KL of bf16 from fp32: {mean:.4f} +- {error:.4f} nats an image ({NUM_DIVERGENCE_IMAGES} images, random net)\n"
    )


if __name__ == "__main__":
    main()
