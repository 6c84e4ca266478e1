"""`python -m launcher`: the whole service on one machine, until Ctrl-C. `make run` is this after an install."""

import asyncio
import errno
import socket
import sys

from launcher.console import Console
from launcher.settings import Settings, SettingsError, parse_settings, read_environment
from launcher.supervisor import NAMES, Supervisor
from launcher.valkey import NoServer


def main() -> None:
    environment = read_environment()
    try:
        settings = parse_settings(environment)
        refuse_busy_port(settings)
        status = asyncio.run(_serve(settings, environment))
    except (SettingsError, NoServer) as error:
        sys.exit(f"Scanline cannot start: {error}")
    sys.exit(status)


async def _serve(settings: Settings, environment: dict[str, str]) -> int:
    return await Supervisor(settings, environment, Console(NAMES)).run()


def refuse_busy_port(settings: Settings) -> None:
    """Find out now, in words, what the API would meet a few seconds later; raises `SettingsError`."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    try:
        socket.create_server((settings.host, settings.port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise SettingsError(
                f"port {settings.port} on {settings.host} is in use. Stop what listens there, "
                f"or choose another: make run SCANLINE_PORT={settings.port + 1}"
            ) from error
        raise SettingsError(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}") from error


if __name__ == "__main__":
    main()
