"""Time of this thread on a processor: other processes that take turns on the same core do not count."""

import platform
import time
from collections.abc import Callable
from pathlib import Path

import torch

from engine.native.library import load

PEAK_ROUNDS = 300_000  # 80 ms


def seconds(work: Callable[[], object]) -> float:
    """Processor seconds of this thread for one call."""
    started = time.thread_time()
    work()
    return time.thread_time() - started


def peak_flops(kernels: str) -> float:
    """Floating-point operations a second that this core's multiply-add units reach when nothing else holds them up."""
    started = time.thread_time()
    done: float = load().scanline_fma_work(kernels.encode(), PEAK_ROUNDS)
    return done / (time.thread_time() - started)


def machine() -> dict[str, str]:
    """Facts that figures depend on."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    names = [line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")]
    load_average = Path("/proc/loadavg").read_text().split()[0] if Path("/proc/loadavg").exists() else "unknown"
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": str(len(names) or "unknown"),
        "load average": load_average,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
