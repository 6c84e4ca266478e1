"""Who is drawn next, and by which thread: plain Python, no tensors."""

import threading
from collections import OrderedDict, deque
from collections.abc import Callable

from engine.request import DrawRequest


class Scheduler:
    """Requests that wait for a slot, and which thread draws the others. May be called from any thread.

    Groups take turns, in order of arrival within a group: a request for 64 images does not hold back a request for one
    by more than the time until the next slot is free.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: OrderedDict[str, deque[DrawRequest]] = OrderedDict()
        self._running: dict[str, int] = {}
        self._canceled: list[tuple[int, str]] = []

    @property
    def num_waiting(self) -> int:
        with self._lock:
            return sum(len(queue) for queue in self._groups.values())

    def num_running(self, thread: int | None = None) -> int:
        """Of one thread, or of all."""
        with self._lock:
            return sum(thread in (None, drawer) for drawer in self._running.values())

    def sizes(self) -> set[tuple[int, int]]:
        """Height and width of all that wait."""
        with self._lock:
            return {(request.height, request.width) for queue in self._groups.values() for request in queue}

    def add(self, request: DrawRequest) -> None:
        with self._lock:
            self._groups.setdefault(request.group, deque()).append(request)

    def take(self, thread: int, fits: Callable[[DrawRequest], bool]) -> DrawRequest | None:
        """The next request that `fits`, from now on of `thread`; or None. Its group goes to the end of the line."""
        with self._lock:
            for group, queue in self._groups.items():
                for request in queue:
                    if fits(request):
                        self._remove(group, request)
                        self._running[request.id] = thread
                        if group in self._groups:
                            self._groups.move_to_end(group)
                        return request
            return None

    def end(self, thread: int, request_id: str) -> None:
        """`thread` has drawn it."""
        with self._lock:
            if self._running.get(request_id) == thread:
                del self._running[request_id]

    def cancel(self, request_id: str) -> None:
        """Forget a request that waits; leave a note for the thread that draws it. Unknown ones are none."""
        with self._lock:
            for group, queue in self._groups.items():
                for request in queue:
                    if request.id == request_id:
                        self._remove(group, request)
                        return
            if (thread := self._running.pop(request_id, None)) is not None:
                self._canceled.append((thread, request_id))

    def canceled(self, thread: int) -> list[str]:
        """What `thread` draws although it was canceled; each is named once."""
        if not self._canceled:
            return []
        with self._lock:
            found = [request_id for drawer, request_id in self._canceled if drawer == thread]
            self._canceled = [note for note in self._canceled if note[0] != thread]
            return found

    def _remove(self, group: str, request: DrawRequest) -> None:
        self._groups[group].remove(request)
        if not self._groups[group]:
            del self._groups[group]
