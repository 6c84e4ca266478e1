"""One readable stream out of several processes: each line under the name of who said it."""

import os
import sys
from collections.abc import AsyncIterator
from typing import Protocol, TextIO


class ByteStream(Protocol):
    """What is read of `asyncio.StreamReader`."""

    async def read(self, n: int, /) -> bytes: ...


class Console:
    """Writes `name | line`; names in colour when a person is watching."""

    _COLOURS = (36, 32, 35, 33)

    def __init__(self, names: list[str], out: TextIO = sys.stdout) -> None:
        width = max(map(len, names))
        self._out = out
        self._labels = {name: f"{name:{width}} | " for name in names}
        if out.isatty() and "NO_COLOR" not in os.environ:
            for name, colour in zip(names, self._COLOURS, strict=True):
                self._labels[name] = f"\x1b[{colour}m{self._labels[name]}\x1b[0m"

    def write(self, name: str, line: str) -> None:
        """One line of `name`. A reader that went away (a closed pipe) must not stop the service."""
        try:
            self._out.write(f"{self._labels[name]}{line}\n")
            self._out.flush()
        except BrokenPipeError:
            self._out = open(os.devnull, "w")  # noqa: SIM115 (kept open until the process ends)


async def read_lines(stream: ByteStream) -> AsyncIterator[str]:
    """Lines of a byte stream, however long; the last one need not be ended."""
    rest = b""
    while chunk := await stream.read(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.decode(errors="replace").rstrip("\r")
    if rest:
        yield rest.decode(errors="replace")
