"""CUDA graphs: what a pixel does, recorded once a column and replayed for every row with one launch.

A pixel is a hundred kernels of a few microseconds; launched one by one from Python they cost more than they compute.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class CudaGraphs:
    """Graphs by key, all in one memory pool: they are replayed one after the other, never at once.

    Args:
        buffers: every tensor that captured work may write and read again. Work runs once before it is recorded, to
            set up libraries; afterwards they are put back.
    """

    def __init__(self, buffers: Sequence[Tensor]) -> None:
        self._buffers = buffers
        self._graphs: dict[tuple[int, int], torch.cuda.CUDAGraph] = {}
        self._pool = torch.cuda.graph_pool_handle()

    def run(self, key: tuple[int, int], work: Callable[[], object]) -> None:
        """Replay what is recorded under `key`; the first time record `work`, which reads and writes fixed addresses."""
        if key not in self._graphs:
            self._graphs[key] = self._record(work)
        self._graphs[key].replay()

    def _record(self, work: Callable[[], object]) -> torch.cuda.CUDAGraph:
        before = [buffer.clone() for buffer in self._buffers]
        stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            work()
        torch.cuda.current_stream().wait_stream(stream)
        for buffer, saved in zip(self._buffers, before, strict=True):
            buffer.copy_(saved)
        graph = torch.cuda.CUDAGraph()
        # thread_local: other threads, which admit a bundle on this device say, may allocate meanwhile.
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            work()
        return graph
