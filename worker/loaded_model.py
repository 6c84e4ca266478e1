"""A bundle in memory, and how many may be there at once."""

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from engine.chain import engine_of
from engine.engine import Engine, Interpreter
from engine.native.encode import NoKernel
from engine.native.library import NativeError, NotBuilt
from models.base import Model
from models.bundle import Bundle, load_bundle
from models.bundle_config import WEIGHTS_FILE, BundleConfig, BundleError
from models.encoder import Encoder
from models.mcgsm_program import clipped
from models.program import Stage
from worker.memory import NotEnoughMemory, is_lack_of_memory
from worker.protocol import Precision

log = logging.getLogger(__name__)


class Draining(Exception):
    """The worker is going away; nothing new begins."""


class NoSuchPrecision(ValueError):
    """Nothing here draws in that precision; the message says why."""


@dataclass(slots=True, eq=False)
class LoadedModel:
    """Weights and their engine for float32; engines are stepped by the engine threads alone.

    `seconds_per_scored_pixel`: of the last parallel pass; None before the first. `is_broken`: a step raised; the
    engine is in no known state. `engine_bfloat16`, `engine_clipped`: None until asked for, see
    `LoadedModels.engine_of`.
    """

    config: BundleConfig
    model: Model
    engine: Engine
    memory_bytes: int
    users: int = 0
    seconds_per_scored_pixel: float | None = None
    is_broken: bool = False
    encoder: Encoder | None = None
    engine_bfloat16: Engine | None = None
    engine_clipped: Engine | None = None

    @property
    def key(self) -> tuple[str, str]:
        return self.config.id, self.config.weights_sha256


class LoadedModels:
    """Models under a memory budget. The least recently used idle one leaves when another needs its room.

    Args:
        budget_bytes: for all together; a model that is larger still loads when it is alone.
        is_draining: asked while waiting for room.
        slots, device, interpreter, threads: of every engine, see `engine.engine.Engine`.
    """

    def __init__(
        self,
        budget_bytes: int,
        slots: int,
        is_draining: Callable[[], bool],
        device: str = "cpu",
        interpreter: Interpreter = "auto",
        threads: int = 1,
    ) -> None:
        self._budget_bytes, self._slots, self._is_draining = budget_bytes, slots, is_draining
        self._device, self._interpreter, self._threads = device, interpreter, threads
        self._models: OrderedDict[tuple[str, str], LoadedModel] = OrderedDict()
        self._turn, self._packing = threading.Lock(), threading.Lock()
        self._changed = threading.Condition()

    @contextmanager
    def use(self, directory: Path, model_id: str, sha256: str) -> Iterator[LoadedModel]:
        """The model, loaded, and kept while the `with` block lasts.

        Whoever waits for room holds the turn, so a busy model cannot keep the others out for ever.

        Raises:
            BundleError: the folder no longer holds that bundle, or what it holds cannot be loaded. Draining.
        """
        with self._turn:
            loaded = self._find(model_id, sha256) or self._load(directory, model_id, sha256)
        try:
            yield loaded
        finally:
            with self._changed:
                loaded.users -= 1
                self._changed.notify_all()

    def discard(self, loaded: LoadedModel) -> None:
        """Its engine is broken: whoever comes next gets a fresh one."""
        with self._changed:
            if self._models.get(loaded.key) is loaded:
                del self._models[loaded.key]
                self._changed.notify_all()

    def is_loaded(self, model_id: str, sha256: str) -> bool:
        return (model_id, sha256) in self._models

    def engine(self, stages: Sequence[Stage], precision: Precision = "float32") -> Engine:
        """A fresh engine of the kind that draws here; `NoSuchPrecision` if none does."""
        if precision == "float32":
            return self._engine(stages, self._interpreter)
        if self._device != "cpu" or self._interpreter == "torch":
            raise NoSuchPrecision("bfloat16 needs the native interpreter")
        try:
            return self._engine(stages, "native-bf16")
        except (NotBuilt, NoKernel, NativeError) as error:
            raise NoSuchPrecision(str(error)) from error

    def engine_of(self, loaded: LoadedModel, precision: Precision, is_clipped: bool = False) -> Engine:
        """The model's engine for a precision that its card names; made when it is first asked for."""
        if is_clipped and (pixels := loaded.config.pixels):
            with self._packing:
                if loaded.engine_clipped is None:
                    program = clipped(loaded.engine.program, pixels.low, pixels.high)
                    loaded.engine_clipped = self._engine([Stage(program)], self._interpreter)
                return loaded.engine_clipped
        if precision == "float32":
            return loaded.engine
        with self._packing:
            if loaded.engine_bfloat16 is None:
                loaded.engine_bfloat16 = self.engine(loaded.model.stages(), precision)
            return loaded.engine_bfloat16

    def _engine(self, stages: Sequence[Stage], interpreter: Interpreter) -> Engine:
        return engine_of(stages, self._slots, self._device, interpreter=interpreter, num_threads=self._threads)

    def _find(self, model_id: str, sha256: str) -> LoadedModel | None:
        with self._changed:
            loaded = self._models.get((model_id, sha256))
            if loaded is not None:
                self._models.move_to_end(loaded.key)
                loaded.users += 1
            return loaded

    def _load(self, directory: Path, model_id: str, sha256: str) -> LoadedModel:
        memory_bytes = estimated_bytes(directory)
        self._make_room(memory_bytes)
        bundle, engine = self._built(directory)
        loaded = LoadedModel(bundle.config, bundle.model, engine, memory_bytes, users=1, encoder=bundle.encoder)
        if loaded.key != (model_id, sha256):
            raise BundleError(f"{directory.name} was exchanged while it was being loaded")
        with self._changed:
            self._models[loaded.key] = loaded
        log.info("loaded %s: %s, %d threads", model_id, engine.profile, engine.num_threads)
        return loaded

    def _built(self, directory: Path) -> tuple[Bundle, Engine]:
        """Whatever a strange bundle provokes, it is refused: a job that met anything else would be sent for ever."""
        try:
            bundle = load_bundle(directory)
            return bundle, self.engine(bundle.model.stages())
        except BundleError:
            raise
        except Exception as error:
            log.exception("loading %s failed", directory.name)
            kind = NotEnoughMemory if is_lack_of_memory(error) else BundleError
            raise kind(f"it cannot be loaded: {type(error).__name__}: {error}") from error

    def _make_room(self, memory_bytes: int) -> None:
        with self._changed:
            while self._models and self._used_bytes() + memory_bytes > self._budget_bytes:
                idle = next((m for m in self._models.values() if m.users == 0), None)
                if idle is not None:
                    log.info("unloading %s", idle.config.id)
                    del self._models[idle.key]
                elif self._is_draining():
                    raise Draining
                else:
                    self._changed.wait(0.5)

    def _used_bytes(self) -> int:
        return sum(m.memory_bytes for m in self._models.values())


def estimated_bytes(directory: Path) -> int:
    """What a loaded bundle occupies: its weights as the model's parameters, in its program, packed in float32 and in
    bfloat16, and the rows of its slots. Measured: 4.9 times the file, of 15 layers x 128 in two threads."""
    try:
        return 5 * (directory / WEIGHTS_FILE).stat().st_size
    except OSError:  # what is wrong with it, loading says
        return 0
