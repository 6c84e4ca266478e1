"""One thread's share of the drawing: a lane for each size of image, fed from the list that all threads share."""

from collections.abc import Callable

from engine.front_lane import FrontLane
from engine.interrupt import Interrupt
from engine.lane import Lane
from engine.native_lane import NativeLane
from engine.request import Drawn, DrawRequest, Output
from engine.scheduler import Scheduler

Size = tuple[int, int]
AnyLane = Lane | FrontLane | NativeLane


class Lanes:
    """Belongs to one thread; only the scheduler is shared.

    Args:
        thread: its number, which the scheduler keeps its images under.
        open_lane: from height and width to an empty lane.
    """

    def __init__(self, thread: int, scheduler: Scheduler, open_lane: Callable[[int, int], AnyLane]) -> None:
        self._thread, self._scheduler, self._open_lane = thread, scheduler, open_lane
        self._lanes: dict[Size, AnyLane] = {}
        self._room = 0

    @property
    def room_left(self) -> int:
        """What the last step left of its `room`."""
        return self._room

    def step(self, room: int, interrupt: Interrupt | None = None) -> list[Output]:
        """Advance every slot, after up to `room` waiting requests were taken into empty ones.

        Several sizes take turns, so none of them is patient.
        """
        for request_id in self._scheduler.canceled(self._thread):
            any(lane.cancel(request_id) for lane in self._lanes.values())
        self._room = room
        if room > 0:
            self._open_lanes()
        outputs: list[Output] = []
        for size, lane in self._lanes.items():
            patience = interrupt if len(self._lanes) == 1 else None
            outputs += lane.step(lambda size=size: self._take(size), patience)  # type: ignore[misc]
        for output in outputs:
            if isinstance(output, Drawn):
                self._scheduler.end(self._thread, output.id)
        return outputs

    def _open_lanes(self) -> None:
        """A lane for every size that waits; idle lanes of other sizes give their memory back."""
        wanted = self._scheduler.sizes()
        for size in wanted - self._lanes.keys():
            for idle in [s for s, lane in self._lanes.items() if not lane.busy and s not in wanted]:
                del self._lanes[idle]
            self._lanes[size] = self._open_lane(*size)

    def _take(self, size: Size) -> DrawRequest | None:
        if self._room <= 0:
            return None
        request = self._scheduler.take(self._thread, lambda r: (r.height, r.width) == size)
        self._room -= request is not None
        return request
