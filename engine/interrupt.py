"""How the thread of a long step is called back to Python."""

import ctypes


class Interrupt:
    """Ends a patient step of another thread within a pixel of each slot. May be set from any thread.

    Whoever steps clears it before looking at what there is to do: what comes later then ends the step.
    """

    def __init__(self) -> None:
        self._flag = ctypes.c_int32(0)

    @property
    def address(self) -> int:
        """Of the int32 that is not 0 while the interrupt is set."""
        return ctypes.addressof(self._flag)

    @property
    def is_set(self) -> bool:
        return self._flag.value != 0

    def set(self) -> None:
        self._flag.value = 1

    def clear(self) -> None:
        self._flag.value = 0
