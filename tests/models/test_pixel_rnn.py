"""The PixelRNN family against a plain second implementation, on random weights."""

import pytest
import torch

from models.base import ModelError
from models.registry import ARCHITECTURES
from models.row_lstm import RowLSTM
from tests.models.reference_pixel_rnn import log_prob
from tests.models.tiny import TINY, Tiny

NAMES = {cls: name for name, cls in ARCHITECTURES.items() if name in ("pixel_cnn", "row_lstm", "diagonal_bilstm")}
FAMILY = {name: tiny for name, tiny in TINY.items() if type(tiny.make()) in NAMES}


@pytest.mark.parametrize("tiny", FAMILY.values(), ids=FAMILY.keys())
@pytest.mark.parametrize("size", [(1, 1), (5, 4), (3, 7)])
def test_log_prob_is_that_of_a_plain_implementation(tiny: Tiny, size: tuple[int, int]) -> None:
    model = tiny.model(seed=3)
    images = torch.randint(0, model.num_levels, (2, model.channels, *size), dtype=torch.uint8)
    context = tiny.context(model, 2)
    with torch.no_grad():
        found = model.log_prob(images, context)
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    for k in range(2):
        vector = None if context is None else context[k].numpy()
        expected = log_prob(NAMES[type(model)], model.sizes(), weights, images[k].double().numpy(), vector)
        assert found[k].item() == pytest.approx(expected, abs=1e-10)


def test_two_levels_are_their_own_digits() -> None:
    with pytest.raises(ModelError, match="digits must be false"):
        RowLSTM(1, 2, 4, 1, digits=True)


def test_a_model_that_is_told_nothing_is_not_told_directly() -> None:
    with pytest.raises(ModelError, match="direct must be false"):
        RowLSTM(1, 2, 4, 1, direct=True)


def test_digits_are_exact_for_every_level() -> None:
    """The step program makes them by steep functions: all 256 levels, against Python's own digits."""
    model = RowLSTM(3, 256, 3, 1, head_width=3, digits=True).eval()
    program = model.program()
    code = next(feature for feature in program.features if feature.name == "code")
    assert code.width == 27
    levels = torch.arange(256, dtype=torch.float64)
    parameters = {name: tensor.double() for name, tensor in program.parameters.items()}
    sides = (levels[:, None] * parameters["sides.weight"][:, 0] + parameters["sides.bias"]).tanh()
    digits = sides @ parameters["digits.weight"].T + parameters["digits.bias"]
    expected = [[1.0 if digit == "1" else -1.0 for digit in reversed(f"{level:08b}")] for level in range(256)]
    assert digits.tolist() == expected
