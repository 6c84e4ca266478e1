"""`.env.example` names every setting, with the default that the code has."""

import re
from pathlib import Path

import pytest

import app.settings
import worker.settings
from launcher.settings import parse_settings

ROOT = Path(__file__).parent.parent
Settings = type[app.settings.Settings] | type[worker.settings.Settings]


def documented() -> dict[str, str]:
    return dict(re.findall(r"^#(SCANLINE_\w+)=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE))


@pytest.mark.parametrize("settings", [app.settings.Settings, worker.settings.Settings], ids=["app", "worker"])
def test_the_documented_values_are_the_defaults(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCANLINE_REDIS_URL", "redis://127.0.0.1:6379/0")
    defaults = settings()
    for name, value in documented().items():
        if value:
            monkeypatch.setenv(name, value)
    assert settings() == defaults


def test_every_setting_is_documented_and_nothing_else() -> None:
    known = {*app.settings.Settings.model_fields, *worker.settings.Settings.model_fields} - {"page_dir"}
    known |= {"state_dir"}
    assert set(documented()) == {f"SCANLINE_{name.upper()}" for name in known}


def test_the_launcher_has_the_same_defaults() -> None:
    assert parse_settings({}) == parse_settings({name: value for name, value in documented().items() if value})
