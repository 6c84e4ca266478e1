"""Which core works on what, and for how long. Linux only; elsewhere nothing is pinned."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


def two_cores() -> tuple[set[int], set[int]]:
    """The engine's core and the others that this process may use; the same one where there is no other."""
    if not hasattr(os, "sched_getaffinity"):
        return set(), set()
    cores = sorted(os.sched_getaffinity(0))
    return {cores[0]}, set(cores[1:]) or {cores[0]}


@contextlib.contextmanager
def pinned(cores: set[int]) -> Iterator[None]:
    """This thread, and processes and threads that it starts meanwhile, on `cores`."""
    if not cores:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def move_all_but_busiest(pid: int, cores: set[int]) -> None:
    """Threads of a process to `cores`, but for the one that has used most processor time: the engine's."""
    if not cores:
        return
    tasks = Path(f"/proc/{pid}/task")
    threads = [int(path.name) for path in tasks.iterdir()]
    busiest = max(threads, key=lambda thread: _ticks(tasks / str(thread) / "stat"))
    for thread in threads:
        if thread != busiest:
            with contextlib.suppress(ProcessLookupError):  # it has ended since
                os.sched_setaffinity(thread, cores)


def process_seconds(pid: int) -> float:
    """Processor time that a process has used, all its threads; nan where it is not told."""
    path = Path(f"/proc/{pid}/stat")
    return _ticks(path) / os.sysconf("SC_CLK_TCK") if path.exists() else float("nan")


def _ticks(path: Path) -> int:
    """User and system time in a `stat` file, its fields 14 and 15; 0 if the thread has ended."""
    try:
        fields = path.read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])
