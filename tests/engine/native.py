"""The native interpreter for tests: built once, every set of kernels that this processor runs."""

import platform
from collections.abc import Iterator

import numpy as np
import pytest

from engine import native_lane
from engine.native.build import BuildError, build
from engine.native.library import NativeError, NativeProgram, load
from engine.native_lane import NativeLane
from engine.request import Drawn, DrawRequest
from models.program import Program

KERNELS = ["avx512", "avx2", "portable"] if platform.machine() == "x86_64" else ["portable"]
every_kernel = pytest.mark.parametrize("kernels", KERNELS)


@pytest.fixture(scope="session", autouse=True)
def built() -> None:
    """For modules that test nothing else."""
    build_or_skip()


def build_or_skip() -> None:
    """Compile; the test is skipped without a compiler, and only then."""
    try:
        build()
    except BuildError as error:
        if "no C++ compiler" in str(error):
            pytest.skip(str(error))
        raise


def runs_here(kernels: str) -> bool:
    """Whether this processor has what a set of kernels needs."""
    return bool(load().scanline_fma_work(kernels.encode(), 1) > 0)


def kernels_here() -> list[str]:
    """The float32 sets that can be compared on this processor."""
    return [kernels for kernels in KERNELS if runs_here(kernels)]


@pytest.fixture(scope="module")
def short_steps() -> Iterator[None]:
    """Of 16 pixels, so that small images meet in the middle."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(native_lane, "MAX_FRONTS_A_STEP", 16)
        yield


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
