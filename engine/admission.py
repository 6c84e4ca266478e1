"""The test that a model passes before it is offered: causal, and the step program says what log_prob says."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from engine.engine import Engine
from engine.request import Drawn, DrawRequest, Values, told
from models.program import Program, Stage

LogProbMap = Callable[[Values, npt.NDArray[np.float32] | None], npt.NDArray[np.float64]]
"""(pixels [batch, channel, row, col], context | None) -> nats [batch, channel, row, col]; in float64 it is exact: a
later pixel must not move an earlier one by a single bit. The context is [batch, size], or a map [batch, number, row,
col]."""
Context = npt.NDArray[np.float32] | None
"""What one image is told: a vector [size], or a map [row, col, number]."""

NUM_PROBES = 12
# Incremental and parallel float32 passes differ by rounding: 1e-6 a pixel was measured on nets of 15 layers.
TOLERANCE_NATS_PER_SUBPIXEL = 1e-4


class NotAdmitted(ValueError):
    """The model does not do what a model must; the message says which test failed and by how much."""


def check_admission(
    program: Program, engine: Engine, log_prob_map: LogProbMap, height: int, width: int, seed: int = 0
) -> None:
    """Raise `NotAdmitted` unless the model is causal and its two views agree, on a random image of the given size.

    `engine` is an idle one of `program`, of the kind that is going to draw. Levels are uniform; the pixels of a
    density, whose unit only the model knows, are a sample.
    """
    rng = np.random.default_rng(seed)
    context = _random_context(program, height, width, rng)
    if program.is_density:
        image = _run(engine, DrawRequest("", "", height, width, seed, 0, **told(context))).values
    else:
        image = _random_levels(program, height, width, rng)
    _check_causality(log_prob_map, image, context, program.num_levels, rng)
    _check_views_agree(engine, log_prob_map, image, context)


def check_chain_admission(
    stages: Sequence[Stage],
    engine: Engine,
    stage_maps: Sequence[LogProbMap],
    log_prob_map: LogProbMap,
    height: int,
    width: int,
    seed: int = 0,
) -> None:
    """The same of a chain: each of its stages is causal, and together they say what `log_prob_map` sums to.

    `stage_maps`: of the stages, each given one fixed image of the stage before.
    """
    rng = np.random.default_rng(seed)
    for stage, stage_map in zip(stages, stage_maps, strict=True):
        size = -(-height >> stage.level), -(-width >> stage.level)
        context = _random_vector(stage.program, rng)
        image = _random_levels(stage.program, *size, rng)
        _check_causality(stage_map, image, context, stage.program.num_levels, rng)
    _check_views_agree(engine, log_prob_map, image, context)


def _random_context(program: Program, height: int, width: int, rng: np.random.Generator) -> Context:
    maps = [f for f in program.features if f.scope == "given_map"]
    if not maps:
        return _random_vector(program, rng)
    shape = -(-height >> maps[0].level), -(-width >> maps[0].level), sum(f.width for f in maps)
    return rng.uniform(-1, 1, shape).astype(np.float32)


def _random_vector(program: Program, rng: np.random.Generator) -> npt.NDArray[np.float32] | None:
    size = sum(f.width for f in program.features if f.scope == "given_vector")
    return np.eye(size, dtype=np.float32)[rng.integers(size)] if size else None


def _random_levels(program: Program, height: int, width: int, rng: np.random.Generator) -> Values:
    return rng.integers(0, program.num_levels, (height, width, program.channels)).astype(np.uint8)


def _run(engine: Engine, request: DrawRequest) -> Drawn:
    engine.add(request)
    outputs = list(engine.step())
    while engine.busy:
        outputs += engine.step()
    return next(output for output in outputs if isinstance(output, Drawn))


def _raster(log_prob_map: LogProbMap, image: Values, context: Context) -> npt.NDArray[np.float64]:
    """log p of every sub-pixel in drawing order: row, column, channel."""
    given = None if context is None else np.moveaxis(context, -1, 0)[None]
    batch = log_prob_map(image.transpose(2, 0, 1)[None], given)
    values: npt.NDArray[np.float64] = batch[0].transpose(1, 2, 0).ravel()
    if not np.isfinite(values).all():
        raise NotAdmitted("log_prob of a random image is not finite")
    return values


def _check_causality(
    log_prob_map: LogProbMap,
    image: Values,
    context: Context,
    num_levels: int,
    rng: np.random.Generator,
) -> None:
    base = _raster(log_prob_map, image, context)
    for position in rng.integers(0, image.size, NUM_PROBES):
        changed = image.copy()
        value = image.ravel()[position]
        changed.ravel()[position] = (int(value) + 1) % num_levels if num_levels else value + 1
        moved = np.flatnonzero(_raster(log_prob_map, changed, context)[:position] != base[:position])
        if moved.size:
            raise NotAdmitted(f"not causal: sub-pixel {position} moves the earlier sub-pixel {moved[0]}")


def _check_views_agree(engine: Engine, log_prob_map: LogProbMap, image: Values, context: Context) -> None:
    height, width = image.shape[:2]
    mask = np.ones((height, width), np.bool_)
    request = DrawRequest("", "", height, width, 0, 0, known=image, mask=mask, **told(context))
    stepped = _run(engine, request).log_prob
    parallel = float(_raster(log_prob_map, image, context).sum())
    if not abs(stepped - parallel) <= TOLERANCE_NATS_PER_SUBPIXEL * image.size:
        raise NotAdmitted(f"the step program gives {stepped:.4f} nats where log_prob gives {parallel:.4f}")
