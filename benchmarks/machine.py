"""What figures depend on: the machine, its load, the software, the commit."""

import datetime
import platform
import subprocess
from pathlib import Path

import torch

from benchmarks.clock import peak_flops
from benchmarks.table import Table

_ROOT = Path(__file__).parents[1]


def machine() -> Table:
    """Facts about this machine and this commit, as they are now."""
    cpuinfo = _read("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in cpuinfo.splitlines() if line.startswith("model name")]
    facts = {
        "processor": names[0] if names else platform.machine(),
        "cores": str(len(names) or "unknown"),
        "FMA peak of one core, float32": f"{max(peak_flops('') for _ in range(5)) / 1e9:.0f} GFLOP/s",
        "memory": _memory(),
        "load average at the start": " ".join(_read("/proc/loadavg").split()[:3]) or "unknown",
        "system": f"{platform.system()} {platform.release()}",
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": _commit(),
    }
    return Table("", ("machine", ""), list(facts.items()))


def load_average() -> str:
    """Processes that wanted a core in the last minute, this one among them."""
    return (_read("/proc/loadavg").split() or ["unknown"])[0]


def _read(path: str) -> str:
    return Path(path).read_text() if Path(path).exists() else ""


def _memory() -> str:
    total = next((line.split()[1] for line in _read("/proc/meminfo").splitlines() if line.startswith("MemTotal")), None)
    return "unknown" if total is None else f"{int(total) / 2**20:.1f} GiB"


def _commit() -> str:
    """The commit that is checked out, and whether tracked files differ from it."""
    try:
        commit = _git("rev-parse", "--short=12", "HEAD")
        changes = _git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}, with changes" if changes else commit


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=_ROOT, check=True, capture_output=True, text=True).stdout.strip()
