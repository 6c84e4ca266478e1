"""How time and memory grow with the image and with the net, beside what would be ideal."""

from collections.abc import Mapping, Sequence

from benchmarks.memory import slot_bytes
from benchmarks.nets import LAYERS, SIZE, WIDTH, flops_per_pixel, gated_pixelcnn
from benchmarks.samplers import naive, native
from benchmarks.statistic import exponent
from benchmarks.svg import Line, Panel, panels
from benchmarks.table import Findings, Table
from benchmarks.turns import alternate
from engine.native.library import NativeProgram

SIZES, DEPTHS, WIDTHS = (28, 64, 128, 256), (4, 8, 15, 30), (16, 32, 64, 128)
NAIVE_SIZES = (28, 64, 128)
NUM_IMAGES = 4
US, KB = 1e6, 1e-3


def growth(_: Sequence[int], rounds: int) -> Findings:
    """Four images side by side, native fp32; time is processor time of one thread."""
    with_size, size_panels = _with_size(rounds)
    depth = {num: NativeProgram(gated_pixelcnn(num).program()) for num in DEPTHS}
    width = {num: NativeProgram(gated_pixelcnn(LAYERS, num).program()) for num in WIDTHS}
    with_depth, depth_panel = _with_net("depth", "layers", depth, 1, rounds)
    with_width, width_panel = _with_net("width", "maps", width, 2, rounds)
    figure = panels([*size_panels, depth_panel, width_panel])
    return Findings([with_size, with_depth, with_width], {"growth.svg": figure})


def _with_size(rounds: int) -> tuple[Table, list[Panel]]:
    """Time of an image against its pixels, naive sampling's too, and memory against its columns."""
    model = gated_pixelcnn()
    program = NativeProgram(model.program())
    pixels = [size**2 for size in SIZES]
    took = alternate({str(size): native(program, NUM_IMAGES, size, rows=1) for size in SIZES}, rounds)
    slow = alternate({str(size): naive(model, 1, size) for size in NAIVE_SIZES}, max(1, rounds // 2))
    image_s = [took[str(size)] * size**2 for size in SIZES]
    naive_s = [slow[str(size)] * size**2 for size in NAIVE_SIZES]
    memory = [slot_bytes(program, size) for size in SIZES]
    rows = [
        (
            f"{size}x{size}",
            f"{took[str(size)] * US:.2f}",
            f"{image_s[k]:.3f}",
            _kilobytes(memory[k]),
            _at(naive_s, k, ".1f"),
        )
        for k, size in enumerate(SIZES)
    ]
    fit, naive_fit = exponent(pixels, image_s), exponent(pixels[: len(naive_s)], naive_s)
    rows.append(
        (
            "growth",
            f"pixels^{fit - 1:.3f}",
            f"pixels^{fit:.3f}",
            _power("columns", SIZES, memory),
            f"pixels^{naive_fit:.2f}",
        )
    )
    rows.append(("ideal", "pixels^0", "pixels^1", "columns^1", ""))
    header = ("image", "us a pixel", "s an image", "kB a slot", "s an image, naive")
    time = [
        Line("native fp32", list(zip(pixels, image_s, strict=True))),
        Line("naive", list(zip(pixels, naive_s, strict=False))),
        _ideal(pixels, image_s, 1),
    ]
    figures = [Panel("Time of an image", "pixels", "seconds", time)]
    if all(memory):
        kilobytes = [(value or 0) * KB for value in memory]
        lines = [Line("native fp32", list(zip(SIZES, kilobytes, strict=True))), _ideal(SIZES, kilobytes, 1)]
        figures.append(Panel("Memory of a slot", "columns of the image", "kB", lines))
    return Table(f"{LAYERS} layers x {WIDTH} by image size, {NUM_IMAGES} images side by side", header, rows), figures


def _with_net(
    name: str, unit: str, programs: Mapping[int, NativeProgram], ideal: int, rounds: int
) -> tuple[Table, Panel]:
    """Time of a pixel and memory of a slot against a dimension of the net, in which its work should grow as `ideal`."""
    nums = list(programs)
    took = alternate({str(num): native(programs[num], NUM_IMAGES, SIZE, rows=4) for num in nums}, rounds)
    times = [took[str(num)] * US for num in nums]
    flops = [flops_per_pixel(programs[num].program) / 1e6 for num in nums]
    memory = [slot_bytes(programs[num], SIZE) for num in nums]
    rows: list[tuple[object, ...]] = [
        (num, f"{flops[k]:.2f}", f"{times[k]:.2f}", f"{flops[k] / times[k] * 1e3:.0f}", _kilobytes(memory[k]))
        for k, num in enumerate(nums)
    ]
    fits = [f"{unit}^{exponent(nums, values):.2f}" for values in (flops, times)]
    rows.append(("growth", *fits, "", _power(unit, nums, memory)))
    rows.append(("ideal", f"{unit}^{ideal}", f"{unit}^{ideal}", "", f"{unit}^1"))
    header = (unit, "MFLOP a pixel", "us a pixel", "GFLOP/s", "kB a slot")
    title = f"By {name}, {SIZE}x{SIZE}, {NUM_IMAGES} images side by side"
    lines = [Line("native fp32", list(zip(nums, times, strict=True))), _ideal(nums, times, ideal)]
    return Table(title, header, rows), Panel(f"Time of a pixel by {name}", unit, "us", lines)


def _ideal(xs: Sequence[float], ys: Sequence[float], power: float) -> Line:
    """The power law through the last point."""
    return Line(f"ideal, power {power:g}", [(x, ys[-1] * (x / xs[-1]) ** power) for x in xs], is_ideal=True)


def _power(unit: str, xs: Sequence[float], values: Sequence[float | None]) -> str:
    known = [value for value in values if value]
    return f"{unit}^{exponent(xs, known):.2f}" if len(known) == len(xs) else "not measured"


def _kilobytes(value: float | None) -> str:
    return "not measured" if value is None else f"{value * KB:.0f}"


def _at(values: Sequence[float], index: int, form: str) -> str:
    return format(values[index], form) if index < len(values) else ""
