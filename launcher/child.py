"""One process that is kept running: started, listened to, started again when it dies, stopped in order."""

import asyncio
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from launcher.console import read_lines

# uvicorn raises SIGTERM again when it has shut down, so a clean stop may read 143 in a shell, -15 here.
CLEAN_ENDS = (0, -signal.SIGTERM, 128 + signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses before a start: doubled at each early death, short again once the process has lived `steady_s`."""

    first_s: float = 0.5
    max_s: float = 30.0
    steady_s: float = 20.0

    def next_pause_s(self, last_s: float | None, lived_s: float) -> float:
        if last_s is None or lived_s >= self.steady_s:
            return self.first_s
        return min(2 * last_s, self.max_s)


@dataclass(frozen=True, slots=True)
class Spec:
    """What to run.

    Attributes:
        grace_s: time to end after SIGTERM.
        lock: a file that the process owns while it lives.
        orphaned: what the process gets when its supervisor is gone.
    """

    name: str
    command: list[str]
    environment: Mapping[str, str]
    grace_s: float
    lock: Path | None = None
    orphaned: Literal["SIGTERM", "SIGKILL"] = "SIGTERM"


class Child:
    """`keep()` runs until `stop()` has ended the process. `say(name, line)` gets its output and what befalls it."""

    def __init__(self, spec: Spec, say: Callable[[str, str], None], backoff: Backoff | None = None) -> None:
        self.spec = spec
        self._say = say
        self._backoff = backoff or Backoff()
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def keep(self) -> None:
        """Start the process, and again after each death, until `stop()`."""
        pause_s = None
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._run_once()
            lived_s = time.monotonic() - started
            if self._stopping.is_set():
                return
            pause_s = self._backoff.next_pause_s(pause_s, lived_s)
            self._say(
                "scanline", f"{self.spec.name} {_ended(code)} after {lived_s:.1f} s; starting it again in {pause_s:g} s"
            )
            await self._pause(pause_s)

    async def stop(self) -> bool:
        """Ask the process to end, insist after `grace_s`; True if it ended cleanly. `keep()` returns afterwards."""
        self._stopping.set()
        process = self._process
        if process is None or process.returncode is not None:
            return True
        process.terminate()
        try:
            code = await asyncio.wait_for(process.wait(), self.spec.grace_s)
        except TimeoutError:
            self._say("scanline", f"{self.spec.name} did not stop within {self.spec.grace_s:g} s; killing it")
            process.kill()
            code = await process.wait()
        return code in CLEAN_ENDS

    def kill(self) -> None:
        """End the process, for good, without waiting for it to finish its work."""
        self._stopping.set()
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def _run_once(self) -> int:
        lock = ["--lock", str(self.spec.lock)] if self.spec.lock else []
        self._process = process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "launcher.tether", *lock, "--orphaned", self.spec.orphaned),
            *("--", *self.spec.command),
            env=self.spec.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # Ctrl-C in a terminal goes to the whole process group; the supervisor alone decides the order of stopping.
            start_new_session=True,
        )
        assert process.stdout is not None
        async for line in read_lines(process.stdout):
            self._say(self.spec.name, line)
        return await process.wait()

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._stopping.wait(), seconds)
        except TimeoutError:
            return


def _ended(code: int) -> str:
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with status {code}"
