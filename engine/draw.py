"""Draw images in one call: for scripts, training and tests. The service uses `Engine` itself."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from engine.chain import engine_of
from engine.engine import Interpreter
from engine.request import Drawn, DrawRequest, Values, told
from models.program import Program, Stage


def draw(
    program: Program | Sequence[Stage],
    num_images: int,
    height: int,
    width: int,
    seed: int,
    contexts: Sequence[npt.NDArray[np.float32]] | None = None,
    temperature: float = 1.0,
    num_slots: int = 32,
    progress: Callable[[int], object] = lambda done: None,
    interpreter: Interpreter = "auto",
) -> tuple[Values, npt.NDArray[np.float64]]:
    """`num_images` samples of a program or a chain of stages, and their log-probabilities.

    Args:
        contexts: one context an image, a vector [size] or a map [row, column, size]; None for an unconditional program.
        progress: called with the number of finished images whenever it grows.

    Returns:
        values [num_images, height, width, channels], uint8 levels or a density's float32 numbers, and log p
        [num_images] in nats at temperature 1. Image k is the same for a seed whatever `num_images` is.
    """
    drawn = draw_scales(
        program, num_images, height, width, seed, contexts, temperature, num_slots, progress, interpreter
    )
    return np.stack([output.values for output in drawn]), np.array([output.log_prob for output in drawn])


def draw_scales(
    program: Program | Sequence[Stage],
    num_images: int,
    height: int,
    width: int,
    seed: int,
    contexts: Sequence[npt.NDArray[np.float32]] | None = None,
    temperature: float = 1.0,
    num_slots: int = 32,
    progress: Callable[[int], object] = lambda done: None,
    interpreter: Interpreter = "auto",
) -> list[Drawn]:
    """As `draw`, with the coarse image of each."""
    stages = (Stage(program),) if isinstance(program, Program) else program
    engine = engine_of(stages, num_slots, interpreter=interpreter)
    for k in range(num_images):
        context = None if contexts is None else contexts[k]
        engine.add(DrawRequest(str(k), "", height, width, seed, k, temperature, **told(context)))
    drawn: dict[int, Drawn] = {}
    while engine.busy:
        for output in engine.step():
            if isinstance(output, Drawn):
                drawn[int(output.id)] = output
                progress(len(drawn))
    return [drawn[k] for k in range(num_images)]
