import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """As in the worker: several threads on such small products only get in each other's way."""
    torch.set_num_threads(1)
