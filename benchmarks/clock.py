"""Time of this thread on a processor: other processes that take turns on the same core do not count."""

import time
from collections.abc import Callable

from engine.native.library import load

PEAK_ROUNDS = 300_000  # 80 ms


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of this thread for one call."""
    started = time.thread_time()
    work()
    return time.thread_time() - started


def peak_flops(kernels: str) -> float:
    """Floating-point operations a second that this core's multiply-add units reach when nothing else holds them up.

    With the instructions of the set `kernels`; "" is the best that this processor has.
    """
    started = time.thread_time()
    done: float = load().scanline_fma_work(kernels.encode(), PEAK_ROUNDS)
    return done / (time.thread_time() - started)
