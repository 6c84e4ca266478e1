"""Who is drawn next: plain Python, no tensors."""

from collections import OrderedDict, deque
from collections.abc import Callable

from engine.request import DrawRequest


class Scheduler:
    """Requests that wait for a slot.

    Groups take turns, in order of arrival within a group: a request for 64 images does not hold back a request for one
    by more than the time until the next slot is free.
    """

    def __init__(self) -> None:
        self._groups: OrderedDict[str, deque[DrawRequest]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(queue) for queue in self._groups.values())

    def __iter__(self):  # type: ignore[no-untyped-def]
        for queue in self._groups.values():
            yield from queue

    def add(self, request: DrawRequest) -> None:
        self._groups.setdefault(request.group, deque()).append(request)

    def remove(self, request_id: str) -> bool:
        """Forget a waiting request; False if it does not wait here."""
        for group, queue in self._groups.items():
            for request in queue:
                if request.id == request_id:
                    queue.remove(request)
                    if not queue:
                        del self._groups[group]
                    return True
        return False

    def take(self, fits: Callable[[DrawRequest], bool]) -> DrawRequest | None:
        """The next request that `fits`, or None. Its group goes to the end of the line."""
        for group, queue in self._groups.items():
            for request in queue:
                if fits(request):
                    queue.remove(request)
                    self._groups.move_to_end(group)
                    if not queue:
                        del self._groups[group]
                    return request
        return None
