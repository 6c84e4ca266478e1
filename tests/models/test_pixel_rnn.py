"""The PixelRNN family against a plain second implementation, on random weights."""

import pytest
import torch

from models.registry import ARCHITECTURES
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
