"""The build step: nothing to do when done, plain words without a compiler, never a stale library."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.native import build
from tests.engine.native import built as built

ROOT = Path(__file__).parents[2]


def test_a_second_build_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "a-compiler-that-is-not-there")
    assert build.build() == build.library_path()


def test_other_sources_have_another_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.cpp").write_text("int a;")
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    before = build.library_path()
    (tmp_path / "a.cpp").write_text("int b;")
    assert build.library_path() != before


def test_what_the_compiler_says_is_in_the_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.cpp").write_text("this is no program")
    monkeypatch.setattr(build, "SOURCES", tmp_path)
    monkeypatch.setattr(build, "BUILD", tmp_path / "build")
    with pytest.raises(build.BuildError, match=r"a\.cpp"):
        build.build()
    assert list((tmp_path / "build").iterdir()) == []


def test_without_a_compiler_the_command_says_so_and_succeeds(tmp_path: Path) -> None:
    script = (
        f"from engine.native import build; build.BUILD = build.Path({str(tmp_path)!r}); build.sys.exit(build.main())"
    )
    environment = {k: v for k, v in os.environ.items() if k != "CXX"} | {"PATH": str(tmp_path)}
    for arguments, code in (([], 0), (["--required"], 1)):
        command = [sys.executable, "-c", script, *arguments]
        run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == code
        assert "no C++ compiler was found" in run.stderr


def test_a_compiler_without_amx_builds_the_rest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    sources, old = tmp_path / "src", tmp_path / "old-c++"
    sources.mkdir()
    (sources / "kernels_amx_bf16.cpp").write_text("#if defined(__AMX_BF16__)\n#error here\n#endif\nint a;")
    compiler = " ".join(build._compiler())
    old.write_text(f'#!/bin/sh\ncase "$*" in *-mamx*) echo "unknown: -mamx" >&2; exit 1;; esac\nexec {compiler} "$@"\n')
    old.chmod(0o755)
    monkeypatch.setattr(build, "SOURCES", sources)
    monkeypatch.setattr(build, "BUILD", tmp_path / "build")
    monkeypatch.setenv("CXX", str(old))
    assert build.build().exists()
