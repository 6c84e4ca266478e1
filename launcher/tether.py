"""Run a command that ends with its parent, and optionally owns a lock file for as long as it lives.

    python -m launcher.tether [--lock FILE] [--orphaned SIGNAL] -- COMMAND ...

The command takes over this very process (same pid, `exec`). On Linux the kernel sends it a signal when the supervisor
is gone, even by kill -9; elsewhere only an orderly stop ends it. The lock is inherited by the command, so it is free
exactly when no server works on the folder: a second launcher on the same state waits here, uses the first one's
server meanwhile, and takes over when that one ends.
"""

import argparse
import ctypes
import fcntl
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parser = argparse.ArgumentParser(prog="launcher.tether")
    parser.add_argument("--lock")
    parser.add_argument("--orphaned", choices=["SIGTERM", "SIGKILL"], default="SIGTERM")
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    parent = os.getppid()
    _end_with_parent(signal.Signals[arguments.orphaned])
    if os.getppid() != parent:
        sys.exit("the supervisor is gone")
    if arguments.lock is not None:
        _take_lock(arguments.lock)
    os.execvp(arguments.command[0], arguments.command)


def _end_with_parent(number: signal.Signals) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)


def _take_lock(path: str) -> None:
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(lock, True)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("a server already works on this state folder; using it, and taking over when it ends", flush=True)
        fcntl.flock(lock, fcntl.LOCK_EX)


if __name__ == "__main__":
    main()
