"""The scan along diagonals: the recurrence pixel by pixel in numpy, and numerical gradients."""

import numpy as np
import pytest
import torch
from torch import Tensor

from models.spatial_lstm import SpatialLSTM, diagonal_order

SIZES = [(1, 1), (1, 6), (5, 1), (2, 5), (5, 3), (4, 4)]


def random_layer(in_width: int, width: int, forget_bias: float = 0.0) -> SpatialLSTM:
    torch.manual_seed(in_width + width)
    layer = SpatialLSTM(in_width, width).double()
    with torch.no_grad():
        layer.left.mul_(12)
        layer.above.mul_(12)
        layer.inputs.bias[3 * width :] += 1 + forget_bias
    return layer


def by_pixel(layer: SpatialLSTM, x: np.ndarray) -> np.ndarray:
    """h [row, col, H] of x [row, col, in], from the formulas alone."""
    weight, bias, left, above = (
        p.detach().numpy() for p in (layer.inputs.weight, layer.inputs.bias, layer.left, layer.above)
    )
    rows, cols = x.shape[:2]
    width = left.shape[1]
    h, c = np.zeros((2, rows + 1, cols + 1, width))
    for i in range(rows):
        for j in range(cols):
            u = weight @ x[i, j] + left @ h[i + 1, j] + above @ h[i, j + 1] + bias
            g, o, inner, f_left, f_above = np.split(u, 5)
            c[i + 1, j + 1] = (
                np.tanh(g) / (1 + np.exp(-inner))
                + c[i + 1, j] / (1 + np.exp(-f_left))
                + c[i, j + 1] / (1 + np.exp(-f_above))
            )
            c[i + 1, j + 1] = np.clip(c[i + 1, j + 1], -16, 16)
            h[i + 1, j + 1] = np.tanh(c[i + 1, j + 1] / (1 + np.exp(-o)))
    return h[1:, 1:]


def in_diagonal_order(x: Tensor) -> Tensor:
    """[batch, row, col, width] -> [pixel, batch, width]."""
    return x.flatten(1, 2).transpose(0, 1)[diagonal_order(*x.shape[1:3])]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("forget_bias", [0.0, 4.0])
def test_the_scan_is_the_recurrence_pixel_by_pixel(size: tuple[int, int], forget_bias: float) -> None:
    layer = random_layer(3, 4, forget_bias)
    x = torch.randn(2, *size, 3, generator=torch.Generator().manual_seed(1)).double()
    expected = torch.from_numpy(np.stack([by_pixel(layer, image.numpy()) for image in x]))
    for is_training in (True, False):
        with torch.set_grad_enabled(is_training):
            h = layer(in_diagonal_order(x), size)
        torch.testing.assert_close(h, in_diagonal_order(expected), rtol=0, atol=1e-13)


@pytest.mark.parametrize(("size", "forget_bias"), [*((size, 0.0) for size in SIZES), ((6, 5), 4.0)])
def test_gradients_are_those_of_finite_differences(size: tuple[int, int], forget_bias: float) -> None:
    layer = random_layer(2, 3, forget_bias)
    x = torch.randn(size[0] * size[1], 2, 2, generator=torch.Generator().manual_seed(2)).double().requires_grad_()
    parameters = dict(layer.named_parameters())

    def run(x: Tensor, *values: Tensor) -> Tensor:
        h = torch.func.functional_call(layer, dict(zip(parameters, values, strict=True)), (x, size))
        return h if isinstance(h, Tensor) else h[0]

    assert torch.autograd.gradcheck(run, (x, *parameters.values()))


def test_diagonal_order_sorts_by_row_plus_column_then_by_row() -> None:
    order = diagonal_order(3, 4).tolist()
    assert order == sorted(range(12), key=lambda k: (k // 4 + k % 4, k // 4))


def test_training_may_follow_scoring_of_the_same_size() -> None:
    layer, size = random_layer(2, 3), (7, 9)
    with torch.inference_mode():
        layer(in_diagonal_order(torch.zeros(1, *size, 2).double()), size)
    layer(in_diagonal_order(torch.zeros(1, *size, 2).double()), size).sum().backward()
    assert layer.left.grad is not None


def test_cells_that_would_grow_for_ever_are_held() -> None:
    layer, size = random_layer(2, 3, 4.0).float(), (200, 200)
    x = torch.randn(size[0] * size[1], 1, 2, generator=torch.Generator().manual_seed(4))
    h = layer(x, size)
    h.sum().backward()
    assert h.isfinite().all() and all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())
