"""Compile the native interpreter: `python -m engine.native.build`. Needs a C++17 compiler and nothing else.

The library's name holds a digest of sources and flags, so one that is out of date is never loaded. Imports the
standard library only: packaging runs this file before anything is installed.
"""

import argparse
import hashlib
import logging
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

log = logging.getLogger(__name__)

SOURCES = Path(__file__).parent / "src"
BUILD = Path(__file__).parent / "build"
# ffp-contract: a compiler that fuses a multiply and an add changes last bits, and does so differently for each set.
FLAGS = ["-std=c++17", "-O3", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-Wall", "-Wextra"]
# gcc 12 warns falsely about its own AVX-512 header, so much that an error would not be among what `BuildError` quotes.
_AVX512 = ["-mavx512f", "-mprefer-vector-width=512", "-Wno-maybe-uninitialized", "-Wno-uninitialized"]
_AMX = ["-mamx-tile", "-mamx-bf16"]  # the only ones that a compiler may lack
# One set of kernels for each kind of processor.
FLAGS_OF = {
    "kernels_avx512": _AVX512,
    "kernels_avx512_bf16": [*_AVX512, "-mavx512bf16"],
    "kernels_amx_bf16": [*_AVX512, "-mavx512bf16", *_AMX],
    "kernels_avx2": ["-mavx2", "-mfma"],
}
SANITIZE = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer", "-g", "-O1"]


class BuildError(RuntimeError):
    """No compiler, or it failed; the message says which."""


def library_path(sanitize: bool = False) -> Path:
    """Where the library for the present sources is, or would be."""
    digest = hashlib.sha256(repr((FLAGS, FLAGS_OF, SANITIZE, platform.machine())).encode())
    for path in sorted(SOURCES.iterdir()):
        digest.update(path.name.encode() + path.read_bytes())
    return BUILD / f"libscanline-{digest.hexdigest()[:16]}{'-sanitized' * sanitize}.so"


def build(sanitize: bool = False) -> Path:
    """Compile unless that was done; returns the library's path. Raises `BuildError`."""
    library = library_path(sanitize)
    if library.exists():
        return library
    compiler = _compiler()
    BUILD.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
        flags = [*FLAGS, *SANITIZE] if sanitize else FLAGS
        lacking = [] if _knows(compiler, _AMX) else _AMX
        units = [path for path in sorted(SOURCES.glob("*.cpp")) if _is_for_this_machine(path)]
        objects = [Path(scratch) / f"{unit.stem}.o" for unit in units]
        commands = [
            [*compiler, *flags, *_flags_of(unit, lacking), "-c", str(unit), "-o", str(out)]
            for unit, out in zip(units, objects, strict=True)
        ]
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(_run, commands))
        linked = Path(scratch) / library.name
        _run([*compiler, *flags, "-shared", *map(str, objects), "-o", str(linked)])
        linked.replace(library)  # at once, so that nobody loads half a file
    return library


def _is_for_this_machine(unit: Path) -> bool:
    return unit.stem not in FLAGS_OF or platform.machine() in ("x86_64", "AMD64")


def _flags_of(unit: Path, lacking: list[str]) -> list[str]:
    return [flag for flag in FLAGS_OF.get(unit.stem, []) if flag not in lacking]


def _knows(compiler: list[str], flags: list[str]) -> bool:
    """Whether `compiler` takes `flags` (gcc has those of AMX since 11)."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return True
    try:
        _run([*compiler, *flags, "-E", "-x", "c++", os.devnull, "-o", os.devnull])
    except BuildError:
        log.warning("%s does not know %s: built without", shlex.join(compiler), " ".join(flags))
        return False
    return True


def _compiler() -> list[str]:
    named = os.environ.get("CXX")
    if named:
        return shlex.split(named)
    for name in ("c++", "g++", "clang++"):
        if path := shutil.which(name):
            return [path]
    raise BuildError("no C++ compiler was found (c++, g++ or clang++ on the PATH, or CXX)")


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)
    except OSError as error:
        raise BuildError(f"{command[0]} cannot be run: {error}") from error
    except subprocess.CalledProcessError as error:
        raise BuildError(f"{shlex.join(command)} failed:\n{error.stderr[-4000:]}") from error


def main() -> int:
    """Build; without a compiler say so and go on: models are then drawn by the slower torch interpreter."""
    parser = argparse.ArgumentParser(description="Compile the native interpreter of step programs.")
    parser.add_argument("--sanitize", action="store_true", help="with AddressSanitizer and UBSan, for tests")
    parser.add_argument("--required", action="store_true", help="fail if it cannot be built")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        log.info("native interpreter: %s", build(arguments.sanitize))
    except BuildError as error:
        log.warning("native interpreter not built, models will be drawn by torch, many times slower: %s", error)
        return int(arguments.required)
    return 0


if __name__ == "__main__":
    sys.exit(main())
