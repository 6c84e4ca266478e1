"""What the launcher accepts from the environment and from `.env`."""

from pathlib import Path

import pytest

from launcher.settings import SettingsError, parse_settings, read_environment


def test_defaults_listen_on_loopback_and_embed_a_server() -> None:
    settings = parse_settings({})
    assert (settings.host, settings.port, settings.redis_url) == ("127.0.0.1", 8000, None)
    assert settings.state_dir == Path("state").resolve()


@pytest.mark.parametrize("port", ["", "0", "65536", "80a", "-1", "²"])
def test_an_impossible_port_is_refused_by_name(port: str) -> None:
    with pytest.raises(SettingsError, match=r"SCANLINE_PORT is .* from 1 to 65535"):
        parse_settings({"SCANLINE_PORT": port})


@pytest.mark.parametrize(("host", "opened"), [("0.0.0.0", "127.0.0.1"), ("::", "[::1]")])
def test_a_server_on_all_interfaces_is_opened_by_the_loopback_address(host: str, opened: str) -> None:
    assert parse_settings({"SCANLINE_HOST": host, "SCANLINE_PORT": "81"}).url == f"http://{opened}:81"


@pytest.mark.parametrize(
    ("host", "opened"), [("::1", "[::1]"), ("fd00::2", "[fd00::2]"), ("192.0.2.1", "192.0.2.1"), ("box", "box")]
)
def test_an_address_with_colons_stands_in_brackets(host: str, opened: str) -> None:
    assert parse_settings({"SCANLINE_HOST": host}).url == f"http://{opened}:8000"


def test_the_shell_wins_over_the_file_and_empty_means_unset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("SCANLINE_HOST=::1\nSCANLINE_PORT=9000\nSCANLINE_REDIS_URL=\n")
    monkeypatch.setenv("SCANLINE_PORT", "9001")
    environment = read_environment(dotenv)
    assert (environment["SCANLINE_HOST"], environment["SCANLINE_PORT"]) == ("::1", "9001")
    assert "SCANLINE_REDIS_URL" not in environment
