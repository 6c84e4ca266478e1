"""Real processes: started again after a death, stopped in order, gone with their supervisor."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from launcher.child import Backoff, Child, Spec
from tests.launcher.loop import run

QUICK = Backoff(first_s=0.05, max_s=0.2, steady_s=5.0)
SLEEPER = "import time; print('up', flush=True); time.sleep(60)"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def make_child(code: str, said: list[str], grace_s: float = 5.0, lock: Path | None = None) -> Child:
    spec = Spec("child", [sys.executable, "-c", code], dict(os.environ), grace_s, lock)
    return Child(spec, lambda name, line: said.append(f"{name}: {line}"), QUICK)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(15):
        while not condition():
            await asyncio.sleep(0.02)


def test_a_killed_process_is_started_again_and_the_log_says_so() -> None:
    async def scenario() -> None:
        said: list[str] = []
        child = make_child(SLEEPER, said)
        keeper = asyncio.create_task(child.keep())
        await until(lambda: "child: up" in said)
        first = child.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: said.count("child: up") == 2)
        assert child.pid != first
        assert any("child was killed by SIGKILL" in line and "starting it again in 0.05 s" in line for line in said)
        assert await child.stop()
        await keeper

    run(scenario())


def test_pauses_double_while_a_process_dies_young_and_shrink_once_it_has_lived() -> None:
    backoff = Backoff(first_s=1, max_s=5, steady_s=20)
    pauses = [backoff.next_pause_s(None, 0.1)]
    for lived_s in (0.1, 0.1, 0.1, 30):
        pauses.append(backoff.next_pause_s(pauses[-1], lived_s))
    assert pauses == [1, 2, 4, 5, 1]


def test_a_process_that_ignores_the_request_is_killed_after_its_grace() -> None:
    async def scenario() -> None:
        said: list[str] = []
        child = make_child(STUBBORN, said, grace_s=0.2)
        keeper = asyncio.create_task(child.keep())
        await until(lambda: "child: up" in said)
        assert not await child.stop()
        await keeper
        assert said[-1] == "scanline: child did not stop within 0.2 s; killing it"

    run(scenario())


def test_a_stop_during_the_pause_ends_it() -> None:
    async def scenario() -> None:
        said: list[str] = []
        child = Child(
            make_child("raise SystemExit(3)", said).spec, lambda _, line: said.append(line), Backoff(60, 60, 60)
        )
        keeper = asyncio.create_task(child.keep())
        await until(lambda: any("ended with status 3" in line for line in said))
        await child.stop()
        await asyncio.wait_for(keeper, 1)

    run(scenario())


def test_a_long_line_and_an_unfinished_last_line_arrive_whole() -> None:
    async def scenario() -> None:
        said: list[str] = []
        child = make_child("print('x' * 300_000); print('end', end='', flush=True); import time; time.sleep(60)", said)
        keeper = asyncio.create_task(child.keep())
        await until(lambda: len(said) == 1)
        await child.stop()
        await keeper
        assert said == ["child: " + "x" * 300_000, "child: end"]

    run(scenario())


def test_the_process_dies_with_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", f"""
import asyncio, os, sys
from launcher.child import Child, Spec
child = Child(Spec("c", [sys.executable, "-c", {SLEEPER!r}], dict(os.environ), 1.0),
              lambda name, line: print(child.pid, flush=True))
asyncio.run(child.keep())
"""],
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    with supervisor:
        assert supervisor.stdout is not None
        pid = int(supervisor.stdout.readline())
        supervisor.kill()
    deadline = time.monotonic() + 10
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _alive(pid)


def test_a_second_owner_of_a_lock_waits_until_the_first_has_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        lock, said_first, said_second = tmp_path / "lock", list[str](), list[str]()
        first, second = make_child(SLEEPER, said_first, lock=lock), make_child(SLEEPER, said_second, lock=lock)
        keepers = [asyncio.create_task(first.keep())]
        await until(lambda: "child: up" in said_first)
        keepers.append(asyncio.create_task(second.keep()))
        await until(lambda: len(said_second) == 1)
        assert "a server already works on this state folder" in said_second[0]
        await first.stop()
        await until(lambda: "child: up" in said_second)
        await second.stop()
        await asyncio.gather(*keepers)

    run(scenario())


def _alive(pid: int) -> bool:
    """True unless the process is gone or waits to be collected by whoever inherited it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
