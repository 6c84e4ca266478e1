"""Draw images in one call: for scripts, training and tests. The service uses `Engine` itself."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from engine.engine import Engine, Interpreter
from engine.request import Drawn, DrawRequest, Values, values_dtype
from models.program import Program


def draw(
    program: Program,
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
    """`num_images` samples and their log-probabilities.

    Args:
        contexts: one context vector an image, or None for an unconditional program.
        progress: called with the number of finished images whenever it grows.

    Returns:
        values [num_images, height, width, channels], uint8 levels or a density's float32 numbers, and log p
        [num_images] in nats at temperature 1. Image k is the same for a seed whatever `num_images` is.
    """
    engine = Engine(program, num_slots, interpreter=interpreter)
    for k in range(num_images):
        context = None if contexts is None else contexts[k]
        engine.add(DrawRequest(str(k), "", height, width, seed, k, temperature, context))
    images = np.zeros((num_images, height, width, program.channels), values_dtype(program.num_levels))
    log_probs = np.zeros(num_images)
    done = 0
    while engine.busy:
        for output in engine.step():
            if isinstance(output, Drawn):
                images[int(output.id)], log_probs[int(output.id)] = output.values, output.log_prob
                done += 1
                progress(done)
    return images, log_probs
