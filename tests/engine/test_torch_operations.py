"""Of what the operations on buffers are made."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from engine.elementwise import FEW, sigmoid_and_tanh_of
from engine.scratch import Scratch
from engine.torch_operations import overlap


def places(x: Tensor) -> set[int]:
    """Of its elements in the memory that it is a view of."""
    rows, columns = (torch.arange(size) * stride for size, stride in zip(x.shape, x.stride(), strict=True))
    return set((int(x.storage_offset()) + rows[:, None] + columns).flatten().tolist())


@given(st.data())
def test_what_overlaps_is_never_taken_for_apart(data: st.DataObject) -> None:
    lines, width = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 5))
    stride = width + data.draw(st.integers(0, 6))
    memory = torch.zeros(200)
    a, b = (memory.as_strided((lines, width), (stride, 1), data.draw(st.integers(0, 60))) for _ in range(2))
    if places(a) & places(b):
        assert overlap(a, b)


def test_cells_rows_and_columns_are_apart() -> None:
    buffer = torch.zeros(2, 5, 4, 3)  # row, column, slot, width
    here = buffer[1, 2]
    assert not any(overlap(here, other) for other in (buffer[0, 2], buffer[1, 1], buffer[1, 3]))
    pair = torch.zeros(4, 3, 2, 6)  # slot, layer, place, width
    assert not overlap(pair[:, 1, 0], pair[:, 1, 1]) and not overlap(pair[:, 2, 1], pair[:, 0, 0])
    assert not overlap(here, torch.zeros(4, 3))
    assert overlap(here, here) and overlap(pair[:, 1, 0], pair[:, 1].flatten(1)[:, 3:9])


def test_few_gates_and_many_have_the_same_bits_wherever_they_stand() -> None:
    x = 3 * torch.randn(2 * FEW // 20, 20)
    for split in (15, 16):
        calls, s, t = sigmoid_and_tanh_of(x, split, Scratch())
        for run in calls:
            run()
        for row in (0, 5, len(x) - 2):
            calls, s_alone, t_alone = sigmoid_and_tanh_of(x[row : row + 2], split, Scratch())
            for run in calls:
                run()
            assert torch.equal(s_alone, s[row : row + 2]) and torch.equal(t_alone, t[row : row + 2])
    torch.testing.assert_close(s, torch.sigmoid(x[:, :split]))
    torch.testing.assert_close(t, torch.tanh(x[:, split:]))
