import pytest

from tests import devices


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--device", choices=("cpu", "cuda"), default="cpu", help="of the torch interpreter's tests")


def pytest_configure(config: pytest.Config) -> None:
    devices.DEVICE = config.getoption("--device")
