"""The native interpreter for tests: built once, every set of kernels that this processor runs."""

import platform

import numpy as np
import pytest

from engine.native.build import BuildError, build
from engine.native.library import NativeError, NativeProgram
from engine.native_lane import NativeLane
from engine.request import Drawn, DrawRequest
from models.program import Program

KERNELS = ["avx512", "avx2", "portable"] if platform.machine() == "x86_64" else ["portable"]
every_kernel = pytest.mark.parametrize("kernels", KERNELS)


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """Compile; the tests that use this are skipped without a compiler, and only then."""
    try:
        build()
    except BuildError as error:
        if "no C++ compiler" in str(error):
            pytest.skip(str(error))
        raise


def native_program(program: Program, kernels: str | None = None) -> NativeProgram:
    try:
        return NativeProgram(program, kernels)
    except NativeError as error:
        pytest.skip(str(error))


def run_lane(native: NativeProgram, requests: list[DrawRequest], num_slots: int) -> dict[str, Drawn]:
    """Requests of one size through one lane, in order of arrival."""
    waiting = list(requests)
    lane = NativeLane(native, requests[0].height, requests[0].width, num_slots)
    drawn: dict[str, Drawn] = {}
    while waiting or lane.busy:
        outputs = lane.step(lambda: waiting.pop(0) if waiting else None)
        drawn |= {output.id: output for output in outputs if isinstance(output, Drawn)}
    return drawn


def assert_same(a: Drawn, b: Drawn) -> None:
    """To the bit."""
    np.testing.assert_array_equal(a.values, b.values)
    assert (a.log_prob, a.drawn_log_prob) == (b.log_prob, b.drawn_log_prob)
