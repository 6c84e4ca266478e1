"""From a folder to a card: load the bundle, test it, measure it; or say why not."""

import copy
import logging
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from engine.admission import LogProbMap, NotAdmitted, check_admission
from engine.engine import Engine
from engine.request import DrawRequest, Levels, RowDrawn
from models.base import Model
from models.bundle_config import CARD_FILE, BundleConfig, BundleError, ImageShape, read_config
from models.program import Program
from models.strict_json import as_json
from worker.contexts import one_hot
from worker.loaded_model import Draining, LoadedModel, LoadedModels, NoSuchPrecision
from worker.protocol import Card, Precision

log = logging.getLogger(__name__)

# A model for images of any size is tried at this one.
DEFAULT_SIZE = (28, 28)
MEASURE_S = 0.5


def admit(directory: Path, models: LoadedModels) -> Card:
    """The card of the bundle in `directory`: admitted with its measured speed, or refused with the reason."""
    sha256 = ""
    try:
        config = read_config(directory)
        sha256 = config.weights_sha256
        if config.id != directory.name:  # a link under another name: jobs go by the id, and would find nobody
            raise BundleError(f"id {config.id!r} must be the name of the folder, {directory.name!r}")
        if not config.num_levels:  # its pixels are float32, where canvases and images take a byte
            raise BundleError("it is a density; only models of up to 256 levels are served")
        with models.use(directory, config.id, sha256) as loaded:
            height, width = image_size(config)
            program = loaded.model.program()
            engine = models.engine(program)
            check_admission(program, engine, _exact_map(loaded.model), height, width)
            return _card(
                directory, loaded, _pixels_per_second(engine, loaded, height, width), _precisions(models, program)
            )
    except (BundleError, NotAdmitted, OSError) as error:
        reason = str(error)
    except Draining:
        raise
    except Exception as error:  # whatever a strange bundle provokes, the others are still to be admitted
        log.exception("the admission of %s failed", directory.name)
        reason = f"the admission test failed: {type(error).__name__}: {error}"
    return Card(id=directory.name, sha256=sha256, status="refused", reason=reason)


def image_size(config: BundleConfig) -> tuple[int, int]:
    """Height and width to try a model at."""
    return (config.image.height, config.image.width) if isinstance(config.image, ImageShape) else DEFAULT_SIZE


def _exact_map(model: Model) -> LogProbMap:
    """`log_prob_map` in float64, where causality can be asked for to the last bit."""
    exact = copy.deepcopy(model).double()

    @torch.inference_mode()
    def log_prob_map(x: Levels, context: npt.NDArray[np.float32] | None) -> npt.NDArray[np.float64]:
        vectors = None if context is None else torch.from_numpy(context).double()
        maps: npt.NDArray[np.float64] = exact.log_prob_map(torch.from_numpy(x.copy()), vectors).numpy()
        return maps

    return log_prob_map


def _pixels_per_second(engine: Engine, loaded: LoadedModel, height: int, width: int) -> float:
    """Speed with all slots of all threads busy: the sum over the threads, which draw side by side."""
    size = loaded.model.context_size
    context = one_hot(0, size) if size else None
    for k in range(engine.num_slots * engine.num_threads):
        engine.add(DrawRequest(str(k), "", height, width, 0, k, context=context))
    with ThreadPoolExecutor(engine.num_threads) as pool:
        rows_per_second = sum(pool.map(lambda thread: _rows_per_second(engine, thread), range(engine.num_threads)))
    return round(rows_per_second * width, 1)


def _rows_per_second(engine: Engine, thread: int) -> float:
    """Of one thread over `MEASURE_S` or one image a slot; until its first row is done it warms up."""
    started, rows = time.perf_counter(), _rows_drawn(engine, thread)
    while engine.num_running(thread) and not rows:
        rows = _rows_drawn(engine, thread)
    if engine.num_running(thread):  # else a step was all it took
        started, rows = time.perf_counter(), 0
    while engine.num_running(thread) and (not rows or time.perf_counter() - started < MEASURE_S):
        rows += _rows_drawn(engine, thread)
    return rows / (time.perf_counter() - started)


def _rows_drawn(engine: Engine, thread: int) -> int:
    """Rows that one step of a thread has finished."""
    outputs = engine.step(thread, room=engine.num_slots - engine.num_running(thread))
    return sum(isinstance(output, RowDrawn) for output in outputs)


def _precisions(models: LoadedModels, program: Program) -> list[Precision]:
    try:
        models.engine(program, "bfloat16")
    except NoSuchPrecision:
        return ["float32"]
    return ["float32", "bfloat16"]


def _card(directory: Path, loaded: LoadedModel, pixels_per_second: float, precisions: list[Precision]) -> Card:
    config = loaded.config
    shape = config.image if isinstance(config.image, ImageShape) else None
    title, description = _title_and_description(directory / CARD_FILE)
    return Card(
        id=config.id,
        sha256=config.weights_sha256,
        status="admitted",
        title=title or config.id,
        description=description,
        architecture=config.architecture,
        height=shape.height if shape else None,
        width=shape.width if shape else None,
        channels=config.channels,
        num_levels=config.num_levels,
        head=config.head,
        conditioning=as_json(config.conditioning),
        training=as_json(config.training),
        evaluation=as_json(config.evaluation),
        pixels_per_second=pixels_per_second,
        profile=loaded.engine.profile,
        precisions=precisions,
    )


def _title_and_description(path: Path) -> tuple[str, str]:
    """First heading and first paragraph of a model card; empty where it has none."""
    blocks = path.read_text(encoding="utf-8", errors="replace").split("\n\n") if path.exists() else []
    title = next((block.strip().lstrip("# ") for block in blocks if block.startswith("# ")), "")
    paragraphs = (" ".join(block.split()) for block in blocks)
    return title, next((p for p in paragraphs if p and not p.startswith(("#", "!", "|", "-", "<"))), "")
