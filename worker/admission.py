"""From a folder to a card: load the bundle, test it, measure it; or say why not."""

import copy
import logging
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from engine.admission import LogProbMap, NotAdmitted, check_admission
from engine.engine import Engine
from engine.request import DrawRequest, Levels, RowDrawn
from models.base import Model
from models.bundle_config import CARD_FILE, BundleConfig, BundleError, ImageShape, read_config
from models.strict_json import as_json
from worker.contexts import one_hot
from worker.loaded_model import Draining, LoadedModel, LoadedModels
from worker.protocol import Card

log = logging.getLogger(__name__)

# A model for images of any size is tried at this one.
DEFAULT_SIZE = (28, 28)
MEASURE_S = 0.5


def admit(directory: Path, models: LoadedModels, slots: int) -> Card:
    """The card of the bundle in `directory`: admitted with its measured speed, or refused with the reason."""
    sha256 = ""
    try:
        config = read_config(directory)
        sha256 = config.weights_sha256
        with models.use(directory, config.id, sha256) as loaded:
            height, width = image_size(config)
            program = loaded.model.program()
            engine = models.engine(program)
            check_admission(program, engine, _exact_map(loaded.model), height, width)
            return _card(directory, loaded, _pixels_per_second(engine, loaded, slots, height, width))
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


def _pixels_per_second(engine: Engine, loaded: LoadedModel, slots: int, height: int, width: int) -> float:
    """Speed with all slots busy, over `MEASURE_S` or one image a slot; until the first row is done it warms up."""
    size = loaded.model.context_size
    context = one_hot(0, size) if size else None
    for k in range(slots):
        engine.add(DrawRequest(str(k), "", height, width, 0, k, context=context))
    while not _rows_drawn(engine):
        pass
    rows, started = 0, time.perf_counter()
    while engine.busy and (rows == 0 or time.perf_counter() - started < MEASURE_S):
        rows += _rows_drawn(engine)
    return round(rows * width / (time.perf_counter() - started), 1)


def _rows_drawn(engine: Engine) -> int:
    """Rows that one step has finished."""
    return sum(isinstance(output, RowDrawn) for output in engine.step())


def _card(directory: Path, loaded: LoadedModel, pixels_per_second: float) -> Card:
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
    )


def _title_and_description(path: Path) -> tuple[str, str]:
    """First heading and first paragraph of a model card; empty where it has none."""
    blocks = path.read_text(encoding="utf-8", errors="replace").split("\n\n") if path.exists() else []
    title = next((block.strip().lstrip("# ") for block in blocks if block.startswith("# ")), "")
    paragraphs = (" ".join(block.split()) for block in blocks)
    return title, next((p for p in paragraphs if p and not p.startswith(("#", "!", "|", "-", "<"))), "")
