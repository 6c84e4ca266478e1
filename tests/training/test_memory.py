import subprocess
import sys


def test_memory_that_was_freed_is_not_faulted_in_again() -> None:
    probe = (
        "import resource, torch, training.memory as m; torch.set_num_threads(1); m.keep_freed_memory()\n"
        "faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "[torch.ones(1 << 22).sum() for _ in range(20)]; before = faults()\n"
        "for _ in range(20): torch.ones(1 << 22)\n"
        "assert faults() - before < 4000, faults() - before"  # 20 x 16 MiB are 82,000 pages
    )
    subprocess.run([sys.executable, "-c", probe], check=True)
