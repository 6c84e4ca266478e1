"""Several threads that draw at once from the same weights: images a second, by the clock on the wall."""

import threading
import time
from collections.abc import Callable, Sequence

from engine.engine import Engine
from engine.native.library import NativeProgram, NativeSlots
from engine.request import DrawRequest
from models.program import Program

ROWS = 12


def bare_slots(program: NativeProgram, num_threads: int, num_images: int, size: int) -> float:
    """Each thread with its part of the images as its slots, over ROWS rows."""
    lanes = [NativeSlots(program, size, size, num_images // num_threads) for _ in range(num_threads)]
    for lane in lanes:
        for k in range(num_images // num_threads):
            lane.admit(k, 1, k, 1.0, None, None, None, None)
        lane.run(size)
    seconds = _together([lambda lane=lane: lane.run(ROWS * size) for lane in lanes])  # type: ignore[misc]
    return num_images * ROWS / size / seconds


def engine(program: Program, num_threads: int, num_images: int, size: int) -> float:
    """One engine with its default of slots a thread, from the first pixel of the first image to the last's last."""
    shared = Engine(program, interpreter="native", num_threads=num_threads)
    for k in range(num_images):
        shared.add(DrawRequest(str(k), "", size, size, 1, k))

    def draw(thread: int) -> None:
        while shared.num_waiting or shared.num_running(thread):
            shared.step(thread)

    return num_images / _together([lambda thread=thread: draw(thread) for thread in range(num_threads)])  # type: ignore[misc]


def _together(works: Sequence[Callable[[], None]]) -> float:
    """Seconds until every thread has done its work."""
    threads = [threading.Thread(target=work) for work in works]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - started
