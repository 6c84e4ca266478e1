import pytest

from benchmarks.memory import slot_bytes
from benchmarks.nets import gated_pixelcnn
from engine.native.library import NativeProgram, NotBuilt


def test_a_slot_of_a_wider_image_takes_more_and_at_least_its_pixels() -> None:
    try:
        program = NativeProgram(gated_pixelcnn(2, 8).program())
    except NotBuilt as reason:
        pytest.skip(str(reason))
    small, large = slot_bytes(program, 32), slot_bytes(program, 64)
    if small is None or large is None:
        pytest.skip("this C library does not tell")
    assert small >= 32 * 32 * 4
    assert 1.5 * small < large < 4.5 * small
