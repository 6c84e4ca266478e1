"""Bytes that the native interpreter holds for an image."""

import ctypes

from engine.native.library import NativeProgram, NativeSlots


class _Mallinfo2(ctypes.Structure):
    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )


def slot_bytes(program: NativeProgram, size: int) -> float | None:
    """Of one more slot for images of `size` x `size`, the drawn image included; None without glibc's counters."""
    few, many = 4, 12
    counts = [_bytes_of(program, size, num_slots) for num_slots in (few, many)]
    if counts[0] is None or counts[1] is None:
        return None
    return (counts[1] - counts[0]) / (many - few)


def _bytes_of(program: NativeProgram, size: int, num_slots: int) -> int | None:
    before = _allocated()
    slots = NativeSlots(program, size, size, num_slots)
    for k in range(num_slots):
        slots.admit(k, 1, k, 1.0, None, None, None, None)
    slots.run(1)
    after = _allocated()
    return None if before is None or after is None else after - before


def _allocated() -> int | None:
    """Bytes handed out by malloc and not yet given back; the main thread's allocations and all large ones."""
    try:
        mallinfo2 = ctypes.CDLL(None).mallinfo2
    except AttributeError:
        return None
    mallinfo2.restype = _Mallinfo2
    counters = mallinfo2()
    return int(counters.uordblks) + int(counters.hblkhd)
