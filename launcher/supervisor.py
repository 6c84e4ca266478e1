"""The supervisor of `make run`: server first, then worker and API; stopped in the opposite order."""

import asyncio
import signal
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Mapping

from launcher import valkey
from launcher.child import Child, Spec
from launcher.console import Console
from launcher.settings import Settings

NAMES = ["scanline", "valkey", "worker", "api"]
# The API drops its open streams after 5 s; the worker saves what it has drawn, which takes well under a second.
_API_GRACE_S, _WORKER_GRACE_S, _SERVER_GRACE_S = 10.0, 30.0, 20.0
# A signal to the whole process group comes twice: directly, and forwarded by make.
_SAME_SIGNAL_S = 1.0
# Never by a proxy that the environment names: the question is about this machine.
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Supervisor:
    """Runs the service until SIGINT or SIGTERM. A second signal does not wait for work to be saved."""

    def __init__(self, settings: Settings, environment: Mapping[str, str], console: Console) -> None:
        self._settings = settings
        self._environment = {**environment, "PYTHONUNBUFFERED": "1"}
        self._console = console
        self._stop = asyncio.Event()
        self._stopped_at = 0.0
        self._children: list[Child] = []
        self._keepers: list[asyncio.Task[None]] = []

    async def run(self) -> int:
        """Exit status of the service: 0 when every process ended cleanly."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._on_signal)
        try:
            await self._start()
            await self._stop.wait()
        finally:
            clean = await self._stop_all()
        self._say("stopped" if clean else "stopped, not cleanly: see above")
        return 0 if clean else 1

    async def _start(self) -> None:
        started = time.monotonic()
        if self._settings.redis_url is None:
            await self._start_server()
        # Orphaned, they lose the server at the same moment: nothing is left to be saved, and jobs outlive kill -9.
        self._add(Spec("worker", [sys.executable, "-m", "worker"], self._environment, _WORKER_GRACE_S, None, "SIGKILL"))
        self._add(Spec("api", [sys.executable, "-m", "app"], self._environment, _API_GRACE_S, None, "SIGKILL"))
        if await self._unless_stopped(self._ready()):
            self._say(f"ready after {time.monotonic() - started:.1f} s")
            self._say("")
            self._say(f"    Scanline:  {self._settings.url}        (calls: {self._settings.url}/docs)")
            self._say(f"    Ctrl-C stops it; jobs and images stay in {self._settings.state_dir}")
            self._say("")

    async def _start_server(self) -> None:
        data_dir, socket = self._settings.state_dir / "valkey", valkey.socket_path(self._settings.state_dir)
        valkey.prepare_folders(data_dir, socket)
        command = valkey.command(valkey.find_binary(), data_dir, socket)
        self._add(Spec("valkey", command, self._environment, _SERVER_GRACE_S, self._settings.state_dir / "valkey.lock"))
        self._environment["SCANLINE_REDIS_URL"] = f"unix://{socket}?db=0"
        if await self._unless_stopped(valkey.wait_until_serving(socket)):
            self._console.write("valkey", f"serving on {socket}, data in {data_dir}")

    def _add(self, spec: Spec) -> None:
        if not self._stop.is_set():
            child = Child(spec, self._console.write)
            self._children.append(child)
            self._keepers.append(asyncio.create_task(child.keep()))

    async def _ready(self) -> None:
        """Return when the API says that it can serve; now and then say what it still lacks."""
        next_word = time.monotonic() + 15
        while (lack := await asyncio.to_thread(_what_lacks, f"{self._settings.url}/readyz")) is not None:
            if time.monotonic() >= next_word:
                next_word += 15
                self._say(f"not ready yet: {lack}")
            await asyncio.sleep(1)

    async def _unless_stopped(self, work: Awaitable[None]) -> bool:
        """Await `work`, but no longer than until a signal; True if it was done."""
        task, stop = asyncio.ensure_future(work), asyncio.create_task(self._stop.wait())
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        if task.done():
            task.result()
            return True
        task.cancel()
        return False

    def _on_signal(self) -> None:
        now = asyncio.get_running_loop().time()
        if self._stop.is_set():
            if now < self._stopped_at + _SAME_SIGNAL_S:
                return
            self._say("stopping at once")
            for child in self._children:
                child.kill()
            return
        self._say("stopping: unfinished jobs are kept and go on at the next start")
        self._stopped_at = now
        self._stop.set()

    async def _stop_all(self) -> bool:
        """API and worker together, the server last, since the others write to it until their end."""
        front = [child.stop() for child in self._children if child.spec.name != "valkey"]
        clean = list(await asyncio.gather(*front))
        for child in self._children:
            if child.spec.name == "valkey":
                clean.append(await child.stop())
        await asyncio.gather(*self._keepers)
        return all(clean)

    def _say(self, line: str) -> None:
        self._console.write("scanline", line)


def _what_lacks(url: str) -> str | None:
    """None if `url` answers 200; else a short reason."""
    try:
        with _DIRECT.open(url, timeout=2):
            return None
    except urllib.error.HTTPError as answer:
        with answer:
            return f"{url} answers {answer.code}: {answer.read(300).decode(errors='replace')}"
    except OSError as error:
        return f"{url} does not answer yet ({error})"
