"""The slots of a lane: which of them draws what. How they draw is the concern of the lane that inherits this."""

from abc import ABC, abstractmethod
from typing import Generic, Protocol, TypeVar

from engine.request import DrawRequest


class Occupant(Protocol):
    """What a lane keeps of an image in a slot; the rest is its own."""

    request: DrawRequest


T = TypeVar("T", bound=Occupant)


class Slots(ABC, Generic[T]):
    """`num_slots` places, each empty (None) or taken."""

    def __init__(self, num_slots: int) -> None:
        self._slots: list[T | None] = [None] * num_slots

    @property
    def busy(self) -> bool:
        return any(slot is not None for slot in self._slots)

    def cancel(self, request_id: str) -> bool:
        """Empty the slot that draws the request; False if none does."""
        for index, slot in enumerate(self._slots):
            if slot is not None and slot.request.id == request_id:
                self._slots[index] = None
                self._emptied(index)
                return True
        return False

    @abstractmethod
    def _emptied(self, index: int) -> None:
        """Called after a slot was emptied before its image was done."""
