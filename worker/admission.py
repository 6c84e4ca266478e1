"""From a folder to a card: load the bundle, test it, measure it; or say why not."""

import copy
import functools
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from engine.admission import LogProbMap, NotAdmitted, check_admission, check_chain_admission
from engine.engine import Engine
from engine.request import DrawRequest, RowDrawn, Values
from models.base import Model
from models.bundle_config import CARD_FILE, BundleConfig, BundleError, ImageShape, read_config, read_file
from models.conditioning import ByEmbedding, ByMap
from models.program import Stage
from models.strict_json import as_json
from worker.contexts import one_hot
from worker.embedding import embed
from worker.loaded_model import Draining, LoadedModel, LoadedModels, NoSuchPrecision
from worker.memory import NotEnoughMemory, is_lack_of_memory
from worker.protocol import MAX_MAP_NUMBERS, Card, Precision, map_size
from worker.work import draws_in

log = logging.getLogger(__name__)

# A model for images of any size is tried at this one; of large images at a smaller one, since the exact test holds all
# maps of an image in float64.
DEFAULT_SIZE = (28, 28)
MAX_SIDE = 64
MEASURE_S = 0.5
MAX_CARD_BYTES, MAX_TITLE, MAX_DESCRIPTION = 2**18, 200, 2_000


def admit(directory: Path, models: LoadedModels) -> Card:
    """The card of the bundle in `directory`: admitted with its measured speed, or refused with the reason.

    Raises NotEnoughMemory, which says nothing of the bundle. Draining.
    """
    sha256 = ""
    try:
        config = read_config(directory)
        sha256 = config.weights_sha256
        if config.id != directory.name:  # a link under another name: jobs go by the id, and would find nobody
            raise BundleError(f"id {config.id!r} must be the name of the folder, {directory.name!r}")
        _check_map(config)
        with models.use(directory, config.id, sha256) as loaded:
            height, width = image_size(config)
            stages = loaded.model.stages()
            engine = models.engine(stages)
            _check_model(loaded.model, stages, engine, height, width)
            _check_encoder(loaded)
            return _card(
                directory, loaded, _pixels_per_second(engine, loaded, height, width), _precisions(models, stages)
            )
    except (Draining, NotEnoughMemory):
        raise
    except (BundleError, NotAdmitted, OSError) as error:
        reason = str(error)
    except Exception as error:  # whatever a strange bundle provokes, the others are still to be admitted
        log.exception("the admission of %s failed", directory.name)
        reason = f"the admission test failed: {type(error).__name__}: {error}"
        if is_lack_of_memory(error):
            raise NotEnoughMemory(reason) from error
    return Card(id=directory.name, sha256=sha256, status="refused", reason=reason)


def _check_map(config: BundleConfig) -> None:
    """Raise `BundleError` where images have one size, and their map is more than any request may have."""
    if isinstance(config.conditioning, ByMap) and isinstance(config.image, ImageShape):
        rows, columns, at_a_place = map_size(as_json(config.conditioning), config.image.height, config.image.width)
        numbers = rows * columns * at_a_place
        if numbers > MAX_MAP_NUMBERS:
            raise BundleError(
                f"the map of an image, {columns}x{rows} places, holds {numbers} numbers; at most {MAX_MAP_NUMBERS} are "
                "taken: fewer labels, a smaller image or a higher level would be right"
            )


def _check_encoder(loaded: LoadedModel) -> None:
    """Raise `NotAdmitted` unless a black image has an embedding of finite numbers."""
    if loaded.encoder is not None:
        channels, height, width = loaded.encoder.shape
        vector = embed(loaded.encoder, np.zeros((height, width, channels), np.uint8))
        if not np.isfinite(vector).all():
            raise NotAdmitted("the encoder makes numbers of a black image that are not finite")


def image_size(config: BundleConfig) -> tuple[int, int]:
    """Height and width to try a model at."""
    if not isinstance(config.image, ImageShape):
        return DEFAULT_SIZE
    return min(config.image.height, MAX_SIDE), min(config.image.width, MAX_SIDE)


def _check_model(model: Model, stages: Sequence[Stage], engine: Engine, height: int, width: int) -> None:
    """The admission test; in float64, where causality can be asked for to the last bit."""
    exact = copy.deepcopy(model).double()
    if len(stages) == 1:
        check_admission(stages[0].program, engine, _numbers(exact.log_prob_map), height, width)
        return
    generator, given, maps = torch.Generator().manual_seed(0), None, []
    for index, stage in enumerate(stages):
        maps.append(_numbers(functools.partial(exact.stage_map, index, given=given)))
        shape = 1, stage.program.channels, -(-height >> stage.level), -(-width >> stage.level)
        given = torch.randint(stage.program.num_levels, shape, generator=generator)
    check_chain_admission(stages, engine, maps, _numbers(exact.log_prob_map), height, width)


def _numbers(log_prob_map: Callable[..., Tensor]) -> LogProbMap:
    """The same function of arrays."""

    @torch.inference_mode()
    def of_arrays(x: Values, context: npt.NDArray[np.float32] | None) -> npt.NDArray[np.float64]:
        vectors = None if context is None else torch.from_numpy(context).double()
        maps: npt.NDArray[np.float64] = log_prob_map(torch.from_numpy(x.copy()), vectors).numpy()
        return maps

    return of_arrays


def _pixels_per_second(engine: Engine, loaded: LoadedModel, height: int, width: int) -> float:
    """Speed with all slots of all threads busy: the sum over the threads, which draw side by side."""
    model = loaded.model
    context = one_hot(0, model.context_size) if model.context_size else None
    given = None
    if told := model.given_map:
        given = np.zeros((*told.shape(height, width), told.channels), np.float32)
    for k in range(engine.num_slots * engine.num_threads):
        engine.add(DrawRequest(str(k), "", height, width, 0, k, context=context, context_map=given))
    with ThreadPoolExecutor(engine.num_threads) as pool:
        speeds = pool.map(lambda thread: _thread_pixels_per_second(engine, thread), range(engine.num_threads))
        return round(sum(speeds), 1)


def _thread_pixels_per_second(engine: Engine, thread: int) -> float:
    """Of one thread over `MEASURE_S` or one image a slot; until its first row is done it warms up."""
    started, pixels = time.perf_counter(), _pixels_drawn(engine, thread)
    while draws_in(engine, thread) and not pixels:
        pixels = _pixels_drawn(engine, thread)
    if draws_in(engine, thread):  # else a step was all it took
        started, pixels = time.perf_counter(), 0
    while draws_in(engine, thread) and (not pixels or time.perf_counter() - started < MEASURE_S):
        pixels += _pixels_drawn(engine, thread)
    return pixels / (time.perf_counter() - started)


def _pixels_drawn(engine: Engine, thread: int) -> int:
    """Pixels of the rows that one step of a thread has finished, of a chain's coarse images, too."""
    outputs = engine.step(thread, room=engine.num_slots - engine.num_running(thread))
    return sum(len(output.values) for output in outputs if isinstance(output, RowDrawn))


def _precisions(models: LoadedModels, stages: Sequence[Stage]) -> list[Precision]:
    """A density is drawn in float32 only: whitening takes differences of neighbours that bfloat16 cannot tell apart."""
    if stages[-1].program.is_density:
        return ["float32"]
    try:
        models.engine(stages, "bfloat16")
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
        coarse_level=loaded.model.stages()[0].level,
        pixels=None if config.pixels is None else as_json(config.pixels),
        head=config.head,
        conditioning=_conditioning(config),
        training=as_json(config.training),
        evaluation=as_json(config.evaluation),
        pixels_per_second=pixels_per_second,
        profile=loaded.engine.profile,
        precisions=precisions,
    )


def _conditioning(config: BundleConfig) -> dict[str, Any]:
    """As config.json says it; with whether an image is taken for an embedding, and how large a map is."""
    told, conditioning = as_json(config.conditioning), config.conditioning
    if isinstance(conditioning, ByEmbedding):
        told["takes_image"] = config.encoder is not None
    if isinstance(conditioning, ByMap) and isinstance(config.image, ImageShape):
        told["height"], told["width"] = conditioning.shape(config.image.height, config.image.width)
    return told


def _title_and_description(path: Path) -> tuple[str, str]:
    """First heading and first paragraph of a model card, cut short; empty where it has none.

    Everybody reads them with every list of models: a link to another file of this machine is refused, and so is a card
    that is no file or too large (BundleError).
    """
    if path.is_symlink():
        raise BundleError(f"{path.name} is a link")
    text = read_file(path, MAX_CARD_BYTES).decode(errors="replace") if path.exists() else ""
    blocks = text.split("\n\n")
    title = next((block.strip().lstrip("# ") for block in blocks if block.startswith("# ")), "")
    paragraphs = (" ".join(block.split()) for block in blocks)
    description = next((p for p in paragraphs if p and not p.startswith(("#", "!", "|", "-", "<"))), "")
    return title[:MAX_TITLE], description[:MAX_DESCRIPTION]
