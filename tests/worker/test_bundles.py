import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest

from models.bundle_config import BundleError
from tests.services import write_tiny_bundle, write_tiny_density
from worker import bundles
from worker.admission import admit
from worker.bundles import Bundles
from worker.loaded_model import LoadedModel, LoadedModels
from worker.memory import NotEnoughMemory
from worker.protocol import Card


class Folder:
    """A bundles folder that is looked at, and how often something in it changed."""

    def __init__(self, root: Path) -> None:
        self.root, self.changes = root, 0
        models = LoadedModels(1 << 30, 4, lambda: False)
        self.bundles = Bundles(root, lambda directory: admit(directory, models), self._count)

    def _count(self) -> None:
        self.changes += 1

    def cards(self) -> dict[str, Card]:
        return {card.id: card for card in self.bundles.cards()}


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path)


def test_what_lies_there_at_the_start_is_admitted_at_once(folder: Folder) -> None:
    sha256 = write_tiny_bundle(folder.root, "tiny", num_levels=4, num_classes=2)
    folder.bundles.scan()
    card = folder.cards()["tiny"]
    assert (card.status, card.sha256, card.title, card.description) == ("admitted", sha256, "tiny", "Random weights.")
    assert (card.height, card.width, card.channels, card.num_levels) == (8, 8, 1, 4)
    assert card.conditioning == {"kind": "class", "names": ["class 0", "class 1"]}
    assert card.evaluation is not None and len(card.evaluation["score_quantiles"]) == 101
    assert folder.bundles.admitted() == {"tiny"}


def test_the_first_look_is_announced_even_if_it_finds_nothing(folder: Folder) -> None:
    assert not folder.bundles.is_complete
    folder.bundles.scan()
    assert folder.bundles.is_complete and folder.changes == 1


def test_what_comes_later_is_admitted_once_it_stays_the_same(folder: Folder) -> None:
    folder.bundles.scan()
    write_tiny_bundle(folder.root, "tiny")
    folder.bundles.scan()
    assert not folder.cards()
    folder.bundles.scan()
    assert folder.cards()["tiny"].status == "admitted" and folder.changes == 2
    folder.bundles.scan()
    assert folder.changes == 2


def test_what_goes_is_forgotten(folder: Folder) -> None:
    write_tiny_bundle(folder.root, "tiny")
    folder.bundles.scan()
    shutil.rmtree(folder.root / "tiny")
    folder.bundles.scan()
    assert not folder.cards() and folder.bundles.find("tiny") is None
    assert folder.bundles.gone() == {"tiny"} and folder.changes == 3


def test_a_refused_bundle_is_tried_again_when_it_changes(folder: Folder) -> None:
    sha256 = write_tiny_bundle(folder.root, "tiny")
    weights = folder.root / "tiny" / "model.safetensors"
    good = weights.read_bytes()
    weights.write_bytes(good[:-100])
    folder.bundles.scan()
    refused = folder.cards()["tiny"]
    assert refused.status == "refused" and refused.sha256 == sha256 and folder.bundles.find("tiny") is None
    weights.write_bytes(good)
    folder.bundles.scan()
    folder.bundles.scan()
    assert folder.cards()["tiny"].status == "admitted"


def test_what_turns_out_to_be_broken_is_refused_until_it_changes(folder: Folder) -> None:
    write_tiny_bundle(folder.root, "tiny")
    folder.bundles.scan()
    entry = folder.bundles.find("tiny")
    assert entry is not None and folder.bundles.refusal("tiny") is None
    for _ in range(2):  # of threads that meet it side by side one is heard
        folder.bundles.refuse(entry, BundleError("no kernel"))
    folder.bundles.scan()
    card = folder.cards()["tiny"]
    assert (card.status, card.reason, card.sha256) == ("refused", "no kernel", entry.card.sha256)
    assert folder.bundles.find("tiny") is None and folder.bundles.refusal("tiny") == "no kernel"
    assert folder.bundles.gone() == {"tiny"}, "its jobs are still to be told"
    assert folder.changes == 3
    (folder.root / "tiny" / "config.json").touch()
    folder.bundles.scan()
    folder.bundles.scan()
    assert folder.cards()["tiny"].status == "admitted"
    folder.bundles.refuse(entry, BundleError("no kernel"))  # an old story
    assert folder.cards()["tiny"].status == "admitted"


def test_a_file_that_cannot_be_looked_at_keeps_nobody_else_out(folder: Folder) -> None:
    write_tiny_bundle(folder.root, "bad")
    write_tiny_bundle(folder.root, "good")
    weights = folder.root / "bad" / "model.safetensors"
    weights.unlink()
    weights.symlink_to("x" * 300)  # no file may have so long a name
    folder.bundles.scan()
    cards = folder.cards()
    assert (cards["bad"].status, cards["good"].status) == ("refused", "admitted")
    assert "model.safetensors cannot be read" in str(cards["bad"].reason)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda d: (d / "config.json").unlink(), "config.json"),
        (lambda d: (d / "config.json").write_text("{"), "config.json"),
        (lambda d: (d / "model.safetensors").unlink(), "model.safetensors"),
        (lambda d: _edit(d, surprise=1), "surprise"),
        (lambda d: _edit(d, id="other"), "other"),
    ],
)
def test_every_refusal_says_why_and_the_others_are_admitted(folder: Folder, damage: object, reason: str) -> None:
    write_tiny_bundle(folder.root, "good")
    write_tiny_bundle(folder.root, "bad")
    damage(folder.root / "bad")  # type: ignore[operator]
    folder.bundles.scan()
    cards = folder.cards()
    assert cards["good"].status == "admitted" and cards["bad"].status == "refused"
    assert cards["bad"].reason is not None and reason in cards["bad"].reason


def test_a_link_under_another_name_is_refused(folder: Folder, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Jobs go to the queue of the id, which nobody would consume."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write_tiny_bundle(elsewhere, "tiny")
    for name in ("tiny", "latest"):
        (folder.root / name).symlink_to(elsewhere / "tiny")
    folder.bundles.scan()
    assert folder.bundles.admitted() == set(folder.cards()) - {"latest"} == {"tiny"}
    assert "'latest'" in str(folder.cards()["latest"].reason)


@pytest.mark.parametrize("architecture", ["ride", "mcgsm"])
def test_a_density_is_admitted_for_any_size_in_float32(folder: Folder, architecture: Literal["ride", "mcgsm"]) -> None:
    write_tiny_density(folder.root, "tiny", architecture=architecture)
    folder.bundles.scan()
    card = folder.cards()["tiny"]
    assert (card.status, card.reason) == ("admitted", None) and card.is_density
    assert (card.height, card.width, card.channels, card.num_levels, card.head) == (None, None, 1, 0, "mcgsm")
    assert card.pixels == {"dequantisation": "uniform", "low": 10.0, "high": 240.0}
    assert card.precisions == ["float32"]
    assert card.evaluation is not None and card.evaluation["density_bits_per_pixel"]["mean"] == 1.5


def test_a_model_of_large_images_is_tried_on_small_ones(folder: Folder) -> None:
    """The maps of one of 4096 x 4096 pixels in float64 would fill the memory."""
    write_tiny_bundle(folder.root, "large", height=4096, width=4096)
    folder.bundles.scan()
    card = folder.cards()["large"]
    assert (card.status, card.height, card.width) == ("admitted", 4096, 4096)


def test_a_map_that_no_request_may_have_is_refused(folder: Folder) -> None:
    """Three labels of every pixel: a slot would hold 3 x 1183 x 1183 numbers."""
    for name, side in (("large", 1182), ("larger", 1183)):
        write_tiny_bundle(folder.root, name, height=side, width=side, conditioned_map="labels")
    folder.bundles.scan()
    cards = folder.cards()
    assert cards["large"].status == "admitted"
    assert cards["larger"].status == "refused"
    assert "1183x1183 places, holds 4198467 numbers; at most 4194304" in str(cards["larger"].reason)


class Failing(LoadedModels):
    """Loads nothing while it has an `error`."""

    error: Exception | None = None

    @contextmanager
    def use(self, directory: Path, model_id: str, sha256: str) -> Iterator[LoadedModel]:
        if self.error:
            raise self.error
        with super().use(directory, model_id, sha256) as loaded:
            yield loaded


def test_a_surprise_in_one_bundle_is_a_refusal_too(tmp_path: Path) -> None:
    write_tiny_bundle(tmp_path, "tiny")
    models = Failing(0, 4, lambda: False)
    models.error = LookupError("nobody there")
    card = admit(tmp_path / "tiny", models)
    assert card.status == "refused" and card.reason == "the admission test failed: LookupError: nobody there"


ALLOCATOR = "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: you tried ..."


@pytest.mark.parametrize("error", [MemoryError("no room for 4 TB"), RuntimeError(ALLOCATOR)])
def test_a_bundle_that_lacks_memory_is_tried_again_after_a_while(
    tmp_path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_tiny_bundle(tmp_path, "tiny")
    models = Failing(1 << 30, 4, lambda: False)
    models.error = error
    found = Bundles(tmp_path, lambda directory: admit(directory, models), lambda: None)
    found.scan()
    assert str(error) in str(found.refusal("tiny")) and "tried again every 60 s" in str(found.refusal("tiny"))
    models.error = None
    found.scan()
    assert found.find("tiny") is None, "not at every look"
    monkeypatch.setattr(bundles, "AGAIN_S", 0.0)
    models.error, found._entries = error, {}
    found.scan()
    models.error = None
    found.scan()
    assert found.find("tiny") is not None


def test_an_admitted_bundle_that_lacks_memory_later_is_tried_again(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundles, "AGAIN_S", 0.0)
    write_tiny_bundle(folder.root, "tiny")
    folder.bundles.scan()
    entry = folder.bundles.find("tiny")
    assert entry is not None
    folder.bundles.refuse(entry, NotEnoughMemory("no room for 4 TB"))
    assert "no room for 4 TB" in str(folder.bundles.refusal("tiny"))
    folder.bundles.scan()
    assert folder.bundles.find("tiny") is not None


def test_a_bundle_being_written_and_stray_files_are_no_bundles(folder: Folder) -> None:
    (folder.root / ".new-tiny").mkdir()
    (folder.root / "README.md").write_text("bundles")
    folder.bundles.scan()
    assert not folder.cards()


def _edit(directory: Path, **fields: object) -> None:
    path = directory / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_a_card_that_is_a_link_a_pipe_or_too_large_is_refused_and_a_long_one_cut(folder: Folder) -> None:
    for name in ("link", "pipe", "large", "long"):
        write_tiny_bundle(folder.root, name)
        (folder.root / name / "README.md").unlink()
    (folder.root / "link" / "README.md").symlink_to("/etc/hostname")
    os.mkfifo(folder.root / "pipe" / "README.md")
    (folder.root / "large" / "README.md").write_text("x" * (2**18 + 1))
    (folder.root / "long" / "README.md").write_text(f"# {'t' * 1000}\n\n{'d' * 5000}\n")
    folder.bundles.scan()
    cards = folder.cards()
    reasons = {name: cards[name].reason or "" for name in ("link", "pipe", "large")}
    assert "is a link" in reasons["link"] and "no regular file" in reasons["pipe"] and "more than" in reasons["large"]
    assert (len(cards["long"].title), len(cards["long"].description)) == (200, 2000)
