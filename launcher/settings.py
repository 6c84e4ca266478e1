"""What `make run` may be told: the environment, over a `.env` file in the current folder."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dotenv import dotenv_values


class SettingsError(ValueError):
    """A variable has a value that cannot be used; the message names it and says what would be right."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Where the service listens and where it keeps its state; `redis_url` None asks for the embedded server."""

    host: str
    port: int
    state_dir: Path
    redis_url: str | None

    @property
    def url(self) -> str:
        """The address to open in a browser on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://[{host}]:{self.port}" if ":" in host else f"http://{host}:{self.port}"


def read_environment(dotenv: Path = Path(".env")) -> dict[str, str]:
    """Variables for every process: those of `.env`, overruled by the real environment. Empty ones count as unset."""
    from_file = {name: value for name, value in dotenv_values(dotenv).items() if value is not None}
    merged = {**from_file, **os.environ}
    return {name: value for name, value in merged.items() if value or not name.startswith("SCANLINE_")}


def parse_settings(environment: Mapping[str, str]) -> Settings:
    """Settings from variables; raises `SettingsError`."""
    port = environment.get("SCANLINE_PORT", "8000")
    if not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise SettingsError(f"SCANLINE_PORT is {port!r}; it takes a number from 1 to 65535")
    return Settings(
        host=environment.get("SCANLINE_HOST", "127.0.0.1"),
        port=int(port),
        state_dir=Path(environment.get("SCANLINE_STATE_DIR", "state")).resolve(),
        redis_url=environment.get("SCANLINE_REDIS_URL"),
    )
