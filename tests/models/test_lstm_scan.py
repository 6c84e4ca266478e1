from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from models.diagonal_bilstm import diagonal_plan
from models.lstm_scan import Plan, scan
from models.row_lstm import row_plan

MakePlan = Callable[[int, int], Plan]


def inputs(directions: int, neighbours: int, num_pixels: int) -> tuple[Tensor, ...]:
    """pre, weight, initial h and c for h = 2 and a batch of 3, in float64."""
    torch.manual_seed(0)
    shapes = [(directions, num_pixels, 3, 8), (directions, neighbours, 2, 8), (directions, 2), (directions, 2)]
    return tuple(torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes)


@pytest.mark.parametrize("make_plan", [row_plan, diagonal_plan])
@pytest.mark.parametrize("size", [(1, 1), (1, 3), (3, 1), (3, 2), (2, 4)])
def test_the_written_gradient_is_the_numerical_one(make_plan: MakePlan, size: tuple[int, int]) -> None:
    plan = make_plan(*size)

    def states(pre: Tensor, weight: Tensor, hidden: Tensor, cell: Tensor) -> Tensor:
        return scan(pre, weight, (hidden, cell), plan)

    assert torch.autograd.gradcheck(states, inputs(2, len(plan.steps[0].neighbours), size[0] * size[1]))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the compiler, about itself
def test_compiled_gates_give_the_same_states_and_gradients() -> None:
    given = inputs(1, 3, 12)
    results = []
    for compiled in (False, True):
        out = scan(given[0], given[1], (given[2], given[3]), row_plan(3, 4), compiled)
        results.append([out, *torch.autograd.grad(out.square().sum(), given)])
    for eager, fast in zip(*results, strict=True):
        torch.testing.assert_close(fast, eager)
