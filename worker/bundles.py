"""The bundles folder: what lies in it now, what was admitted, what was refused and why."""

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.bundle_config import CARD_FILE, CONFIG_FILE, WEIGHTS_FILE, BundleError
from worker.memory import NotEnoughMemory
from worker.protocol import Card

log = logging.getLogger(__name__)

# So long a bundle stays refused for want of memory: trying is dear, and the room comes with the end of jobs.
AGAIN_S = 60.0

Fingerprint = tuple[tuple[str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Entry:
    """A bundle as it was when its folder last changed. `again_at`: when it is tried again if it does not."""

    directory: Path
    fingerprint: Fingerprint
    card: Card
    again_at: float = math.inf

    def is_due(self, now: Fingerprint) -> bool:
        return self.fingerprint != now or time.monotonic() >= self.again_at


class Bundles:
    """Looked at every few seconds by one thread; read by all, any of which may `refuse` what it cannot load.

    Args:
        admit: from a folder to its card; NotEnoughMemory if it cannot be told at present.
        on_change: called after every bundle that came, changed or went, and after the first look.
    """

    def __init__(self, root: Path, admit: Callable[[Path], Card], on_change: Callable[[], None]) -> None:
        self._root, self._admit, self._on_change = root, admit, on_change
        self._entries: dict[str, Entry] = {}  # never changed in place
        self._lock = threading.Lock()
        self._seen: dict[str, Fingerprint] | None = None
        self._gone: set[str] = set()

    def scan(self) -> None:
        """Admit what is new or has changed, forget what went."""
        found = {path.name: fingerprint(path) for path in self._folders()}
        for name in self._entries.keys() - found.keys():
            self._forget(name)
        for name, now in found.items():
            entry = self._entries.get(name)
            if (entry is None or entry.is_due(now)) and self._has_settled(name, now):
                self._take(name, now)
        is_first = self._seen is None
        self._seen = found
        if is_first:
            self._on_change()

    def cards(self) -> tuple[Card, ...]:
        """Of all bundles, by id."""
        entries = self._entries
        return tuple(entries[name].card for name in sorted(entries))

    @property
    def is_complete(self) -> bool:
        """Whether the folder has been looked through once."""
        return self._seen is not None

    def find(self, model_id: str) -> Entry | None:
        """The admitted bundle of that id."""
        entry = self._entries.get(model_id)
        return entry if entry is not None and entry.card.status == "admitted" else None

    def refusal(self, model_id: str) -> str | None:
        """Why the bundle of that id is refused; None if it is not."""
        entry = self._entries.get(model_id)
        return entry.card.reason if entry is not None and entry.card.status == "refused" else None

    def refuse(self, entry: Entry, error: BundleError) -> None:
        """An admitted bundle turned out to be broken: refuse it until its folder changes."""
        refused = _refused(entry.directory, entry.fingerprint, entry.card.sha256, error)
        with self._lock:
            if self._entries.get(entry.card.id) is not entry:  # looked at again, or refused by another thread
                return
            self._entries = {**self._entries, entry.card.id: refused}
        log.warning("refused %s: %s", entry.card.id, refused.card.reason)
        self._on_change()

    def admitted(self) -> set[str]:
        return {name for name in list(self._entries) if self.find(name)}

    def gone(self) -> set[str]:
        """Once admitted here, not any more."""
        return self._gone - self.admitted()

    def _folders(self) -> list[Path]:
        # A leading dot marks a bundle that is being written.
        return [p for p in sorted(self._root.iterdir()) if p.is_dir() and not p.name.startswith(".")]

    def _has_settled(self, name: str, now: Fingerprint) -> bool:
        """A folder that is being copied waits for the next look. At start nothing waits."""
        return self._seen is None or self._seen.get(name) == now

    def _take(self, name: str, now: Fingerprint) -> None:
        directory = self._root / name
        try:
            entry = Entry(directory, now, self._admit(directory))
        except NotEnoughMemory as error:
            entry = _refused(directory, now, "", error)
        card = entry.card
        if card.status == "admitted":
            log.info("admitted %s: %s pixels/s", name, card.pixels_per_second)
            self._gone.add(name)
        else:
            log.warning("refused %s: %s", name, card.reason)
        with self._lock:
            self._entries = {**self._entries, name: entry}
        self._on_change()

    def _forget(self, name: str) -> None:
        log.info("%s is gone", name)
        with self._lock:
            self._entries = {other: entry for other, entry in self._entries.items() if other != name}
        self._on_change()


def _refused(directory: Path, fingerprint: Fingerprint, sha256: str, error: BundleError) -> Entry:
    """Until the folder changes, or for `AGAIN_S` where memory is all that it lacks."""
    reason, again_at = str(error), math.inf
    if isinstance(error, NotEnoughMemory):
        reason, again_at = f"{error}; it is tried again every {AGAIN_S:.0f} s", time.monotonic() + AGAIN_S
    return Entry(directory, fingerprint, Card(directory.name, sha256, "refused", reason), again_at)


def fingerprint(directory: Path) -> Fingerprint:
    """Name, time and size of the bundle's files."""
    files = [directory / name for name in (CONFIG_FILE, WEIGHTS_FILE, CARD_FILE)]
    return tuple((file.name, *_time_and_size(file)) for file in files)


def _time_and_size(file: Path) -> tuple[int, int]:
    """(0, -1) of a file that is missing or cannot be looked at: why, its admission says."""
    try:
        stat = file.stat()
    except OSError:
        return 0, -1
    return stat.st_mtime_ns, stat.st_size
