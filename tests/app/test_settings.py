"""Settings from the environment."""

import pytest
from pydantic import ValidationError

from app.settings import Settings


def test_values_come_from_scanline_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCANLINE_REDIS_URL", "unix:///run/valkey.sock?db=1")
    monkeypatch.setenv("SCANLINE_MAX_WAIT_S", "5")
    settings = Settings()
    assert (settings.redis_url, settings.max_wait_s) == ("unix:///run/valkey.sock?db=1", 5)


def test_it_listens_on_loopback_unless_told_otherwise() -> None:
    assert Settings().host == "127.0.0.1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("redis_url", "http://x"),
        ("redis_url", "unix://"),
        ("max_samples", 0),
        ("port", 70000),
        ("allowed_hosts", "https://scanline.example.org"),
        ("allowed_hosts", "scanline.example.org:8000"),
    ],
)
def test_a_bad_value_stops_the_start(name: str, value: object) -> None:
    with pytest.raises(ValidationError):
        Settings(**{name: value})  # type: ignore[arg-type]
