"""Several threads that draw at once from the same weights."""

import threading
import time

from engine.native.library import NativeProgram, NativeSlots

ROWS = 12


def images_per_second(program: NativeProgram, num_threads: int, num_images: int, size: int) -> float:
    """All threads together, `num_images` a thread, over ROWS rows; wall clock."""
    lanes = [NativeSlots(program, size, size, num_images) for _ in range(num_threads)]
    for lane in lanes:
        for k in range(num_images):
            lane.admit(k, 1, k, 1.0, None, None, None, None)
        lane.run(size)
    threads = [threading.Thread(target=lane.run, args=(ROWS * size,)) for lane in lanes]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return num_threads * num_images * ROWS / size / (time.perf_counter() - started)
