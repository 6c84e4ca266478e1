"""Markov chains on their way to the store: the last sweep of each, and which rows of it clients are to see."""

import threading

from worker.leases import Sweep
from worker.protocol import JobRequest

TOLD_SWEEPS = 100
"""So many times in all are the rows of a chain told to clients: they stay in the job's events, and nobody sees more."""

Row = tuple[int, int, bytes]


class Sweeps:
    """Added to by the engine's threads, read by the writer's. A sweep takes the place of the one before it, which the
    store need not see. What was told before this attempt is not known: its first rows are all of the canvas."""

    def __init__(self, request: JobRequest) -> None:
        self._request = request
        self._rows_between_tales = request.canvas_height * -(-request.sweeps // TOLD_SWEEPS)
        self._last_rows = request.canvas_height * (request.sweeps + 1)
        self._lock = threading.Lock()
        self._pending: dict[int, Sweep] = {}
        self._told: dict[int, Sweep] = {}

    def add(self, sweep: Sweep) -> None:
        with self._lock:
            self._pending[sweep.k] = sweep

    def pending(self) -> list[Sweep]:
        """All that the store has not confirmed, one a chain."""
        with self._lock:
            return list(self._pending.values())

    def rows(self, sweeps: list[Sweep]) -> list[Row]:
        """Of these, as (sample, canvas row, pixels): those that changed since they were last told, if it is time."""
        size = self._request.row_bytes
        rows: list[Row] = []
        for sweep in filter(self._is_tale, sweeps):
            before = self._told[sweep.k].canvas if sweep.k in self._told else b""
            for start in range(0, len(sweep.canvas), size):
                pixels = sweep.canvas[start : start + size]
                if pixels != before[start : start + size]:
                    rows.append((sweep.k, start // size, pixels))
        return rows

    def confirm(self, sweeps: list[Sweep]) -> None:
        """The store has them, and their rows are told."""
        with self._lock:
            for sweep in sweeps:
                if self._is_tale(sweep):
                    self._told[sweep.k] = sweep
                if self._pending[sweep.k] is sweep:
                    del self._pending[sweep.k]

    def _is_tale(self, sweep: Sweep) -> bool:
        told = self._told.get(sweep.k)
        is_last = sweep.rows == self._last_rows
        return told is None or is_last or sweep.rows - told.rows >= self._rows_between_tales
