"""Write constraints.txt: the exact version of every package that is installed in this environment, bar this project.

A local label (torch's `+cpu`) is dropped, so that the pin also fits the build of the same release from PyPI.
"""

import re
import subprocess
import sys
from pathlib import Path

HEADER = """\
# Exact versions for every install: pip install -c constraints.txt -e '.[app,worker,embedded]'
# Written by `make lock`. torch 2.13.0 is the CPU build on PyPI; a looser pin pulls gigabytes of CUDA.
"""


def main() -> None:
    # --all: setuptools too, which torch needs at run time; pip itself is the one that reads the file.
    freeze = [
        sys.executable,
        "-m",
        "pip",
        "freeze",
        "--all",
        "--exclude-editable",
        "--exclude",
        "scanline",
        "--exclude",
        "pip",
    ]
    output = subprocess.run(freeze, check=True, capture_output=True, text=True).stdout
    pins = [re.sub(r"\+[a-z0-9.]+$", "", line) for line in output.splitlines() if "==" in line]
    Path("constraints.txt").write_text(HEADER + "\n".join(sorted(pins, key=str.lower)) + "\n")
    print(f"constraints.txt: {len(pins)} packages")


if __name__ == "__main__":
    main()
