import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.engine import Engine
from models.bundle_config import BundleError
from models.program import Stage
from tests.services import wait_until, write_tiny_bundle
from worker.loaded_model import Draining, LoadedModels, estimated_bytes
from worker.memory import NotEnoughMemory
from worker.protocol import Precision


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, str, str]]:
    """Three bundles of one size: what `use` takes, by id."""
    folder = tmp_path_factory.mktemp("bundles")
    return {name: (folder / name, name, write_tiny_bundle(folder, name, seed=k)) for k, name in enumerate("abc")}


def _models(bundles: dict[str, tuple[Path, str, str]], room_for: float, draining: bool = False) -> LoadedModels:
    return LoadedModels(int(room_for * estimated_bytes(bundles["a"][0])), 4, lambda: draining)


def _loaded(models: LoadedModels, bundles: dict[str, tuple[Path, str, str]]) -> str:
    return "".join(name for name, (_, model, sha256) in bundles.items() if models.is_loaded(model, sha256))


def test_a_model_stays_loaded_after_use(bundles: dict[str, tuple[Path, str, str]]) -> None:
    models = _models(bundles, room_for=2)
    with models.use(*bundles["a"]) as first:
        pass
    with models.use(*bundles["a"]) as second:
        assert second is first


def test_the_least_recently_used_leaves_when_room_is_needed(bundles: dict[str, tuple[Path, str, str]]) -> None:
    models = _models(bundles, room_for=2.5)
    for name in ("a", "b", "a", "c"):
        with models.use(*bundles[name]):
            pass
    assert _loaded(models, bundles) == "ac"


def test_a_model_larger_than_the_budget_loads_alone(bundles: dict[str, tuple[Path, str, str]]) -> None:
    models = _models(bundles, room_for=0)
    for name in ("a", "b"):
        with models.use(*bundles[name]):
            assert _loaded(models, bundles) == name


def test_a_busy_model_is_waited_for_not_evicted(bundles: dict[str, tuple[Path, str, str]]) -> None:
    models = _models(bundles, room_for=1)
    entered = threading.Event()

    def use_b() -> None:
        with models.use(*bundles["b"]):
            entered.set()

    thread = threading.Thread(target=use_b)
    with models.use(*bundles["a"]):
        thread.start()
        assert not entered.wait(0.2)
        assert _loaded(models, bundles) == "a"
    wait_until(entered.is_set)
    thread.join()


def test_nobody_waits_for_room_in_a_worker_that_goes_away(bundles: dict[str, tuple[Path, str, str]]) -> None:
    models = _models(bundles, room_for=1, draining=True)
    with models.use(*bundles["a"]), pytest.raises(Draining), models.use(*bundles["b"]):
        pass


def test_a_discarded_model_is_loaded_afresh(bundles: dict[str, tuple[Path, str, str]]) -> None:
    models = _models(bundles, room_for=2)
    with models.use(*bundles["a"]) as broken:
        models.discard(broken)
        with models.use(*bundles["a"]) as fresh:
            assert fresh is not broken


def test_a_folder_with_other_weights_is_not_the_bundle(bundles: dict[str, tuple[Path, str, str]]) -> None:
    directory, name, _ = bundles["a"]
    models = _models(bundles, room_for=2)
    with pytest.raises(BundleError, match="exchanged"), models.use(directory, name, "0" * 64):
        pass


class Failing(LoadedModels):
    error: Exception

    def engine(self, stages: Sequence[Stage], precision: Precision = "float32") -> Engine:
        raise self.error


@pytest.mark.parametrize(("error", "kind"), [(LookupError("no"), BundleError), (MemoryError("no"), NotEnoughMemory)])
def test_whatever_goes_wrong_while_loading_is_the_bundles_fault_but_for_memory(
    bundles: dict[str, tuple[Path, str, str]], error: Exception, kind: type[BundleError]
) -> None:
    models = Failing(1 << 30, 4, lambda: False)
    models.error = error
    with pytest.raises(BundleError, match=f"{type(error).__name__}: no") as caught, models.use(*bundles["a"]):
        pass
    assert type(caught.value) is kind
    assert not _loaded(models, bundles)
