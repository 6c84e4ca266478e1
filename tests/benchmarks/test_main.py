import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

import benchmarks.__main__ as bench
from benchmarks.table import Findings, Table


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where results go; a run has two parts that find something at once."""

    def found(name: str) -> Findings:
        return Findings([Table(name, ("images",), [(1,)])], {f"{name}.svg": f"<svg>{name}</svg>"})

    monkeypatch.setattr(bench, "PARTS", {"naive": lambda *_: found("speed"), "growth": lambda *_: found("growth")})
    monkeypatch.setattr(bench, "RESULTS", tmp_path / "results.md")
    monkeypatch.setattr(bench, "FIGURES", tmp_path / "figures")
    threads, on_sigterm = torch.get_num_threads(), signal.getsignal(signal.SIGTERM)
    yield tmp_path
    torch.set_num_threads(threads)
    signal.signal(signal.SIGTERM, on_sigterm)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    bench.main()


def test_a_full_run_writes_tables_and_figures(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(monkeypatch)
    results = (folder / "results.md").read_text()
    assert results.startswith("# Measured by") and "### speed" in results and "### growth" in results
    assert {path.name: path.read_text() for path in (folder / "figures").iterdir()} == {
        "speed.svg": "<svg>speed</svg>",
        "growth.svg": "<svg>growth</svg>",
    }


def test_one_part_is_printed_and_writes_no_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(monkeypatch, "--only", "growth")
    printed = capsys.readouterr().out
    assert "### growth" in printed and "### speed" not in printed
    assert list(folder.iterdir()) == []
