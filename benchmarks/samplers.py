"""The ways to draw that are compared. Each measures processor seconds a pixel of one image, once a call."""

import copy
import itertools
from collections.abc import Callable

import torch

from benchmarks.clock import seconds
from engine.engine import Engine
from engine.fronts import PLACE_MULTIPLE
from engine.lane import Lane
from engine.native.library import NativeProgram, NativeSlots
from engine.request import Drawn, DrawRequest
from engine.torch_interpreter import SLOT_MULTIPLE, TorchInterpreter
from models.base import Model
from models.fronts import front_slope
from models.program import Program

Sampler = Callable[[], float]
ROWS = 24
"""A turn of an interpreter: a shorter one measures how cold the naive sampler has left the caches."""


def naive(model: Model, num_images: int, size: int) -> Sampler:
    """One forward pass of whole images for every pixel, as samplers without a cache do it, in the faster layout."""
    layouts = [torch.contiguous_format, torch.channels_last]
    runs = [_forward(copy.deepcopy(model), num_images, size, layout) for layout in layouts]
    best = min(runs, key=lambda run: min(seconds(run), seconds(run)))
    return lambda: seconds(best) / num_images


def _forward(model: Model, num_images: int, size: int, layout: torch.memory_format) -> Callable[[], object]:
    model.to(memory_format=layout)  # type: ignore[call-overload]
    x = torch.zeros(num_images, 1, size, size).to(memory_format=layout)
    row = column = size // 2

    @torch.inference_mode()
    def run() -> None:
        if model.num_levels:
            x[:, :, row, column] = torch.bernoulli(torch.sigmoid(model(x)[:, :, row, column]))
        else:  # a density: the pass takes longer than its draw
            x[:, :, row, column] = model.log_prob_map(x)[:, :, row, column]

    return run


def torch_interpreter(model: Model, num_images: int, size: int, rows: int = ROWS) -> Sampler:
    """`rows` rows a call, pixel by pixel. Slots are a multiple of SLOT_MULTIPLE; `num_images` of them are in use."""
    lane = Lane(TorchInterpreter(model.program(), size, size, -(-num_images // SLOT_MULTIPLE) * SLOT_MULTIPLE))
    names, num_drawing = itertools.count(), 0

    def take() -> DrawRequest | None:
        nonlocal num_drawing
        if num_drawing == num_images:
            return None
        num_drawing += 1
        return DrawRequest(str(k := next(names)), "", size, size, 1, k)

    def draw(rows: int) -> None:
        nonlocal num_drawing
        for _ in range(rows * size):
            num_drawn = sum(isinstance(output, Drawn) for output in lane.step(take))  # takes, too
            num_drawing -= num_drawn

    draw(1)  # binds the operations of every column
    return lambda: seconds(lambda: draw(rows)) / (rows * size * num_images)


def torch_fronts(program: Program, num_images: int, size: int) -> Sampler:
    """Whole images a call, a front at a time."""
    engine = Engine(program, -(-num_images // PLACE_MULTIPLE) * PLACE_MULTIPLE, interpreter="torch")

    def draw() -> None:
        for k in range(num_images):
            engine.add(DrawRequest(str(k), "", size, size, 1, k))
        while engine.busy:
            engine.step()

    draw()  # binds the operations of every number of places
    return lambda: seconds(draw) / size**2 / num_images


def native(program: NativeProgram, num_images: int, size: int, rows: int, stagger: int = 0) -> Sampler:
    """`rows` rows a call, whole images where they are drawn in fronts; with `stagger` each slot stands that many pixels
    before the next."""
    if front_slope(program.program):
        return native_images(program, num_images, size)
    slots = NativeSlots(program, size, size, num_images)

    def restart() -> None:
        for k in range(num_images):
            slots.clear(k)
        for k in range(num_images):
            slots.admit(k, 1, k, 1.0, None, None, None, None)
            if stagger:
                slots.run(stagger)
        slots.run(size)  # the first row warms up

    def measure() -> float:
        if slots.rows_done.max() + rows >= size:
            restart()
        return seconds(lambda: slots.run(rows * size)) / (rows * size * num_images)

    restart()
    return measure


def native_images(program: NativeProgram, num_images: int, size: int) -> Sampler:
    """Whole images a call."""
    slots = NativeSlots(program, size, size, num_images)

    def draw() -> None:
        for k in range(num_images):
            slots.admit(k, 1, k, 1.0, None, None, None, None)
        while slots.rows_done.min() < size:
            slots.run(size * size)

    draw()  # the first images warm up
    return lambda: seconds(draw) / size**2 / num_images
