"""What a Gated PixelCNN does with a map that it is told, beyond the contract of all models."""

import numpy as np
import pytest
import torch

from models.base import ModelError
from models.gated_pixelcnn import GatedPixelCNN
from models.program import Affine, Operation, Program
from models.sizes import GatedPixelCNNSizes, faults
from models.strict_json import parse
from tests.models.test_contract import random_images
from tests.models.tiny import TINY

TOLD = {name: tiny for name, tiny in TINY.items() if tiny.make().given_map}
every_told_model = pytest.mark.parametrize("name", TOLD)


def by_map(**change: int) -> GatedPixelCNN:
    sizes = {"channels": 1, "level": 1, "width": 3, "kernel": 3} | change
    return GatedPixelCNN(1, 3, 4, [1], head_width=8, given_map=sizes)


def test_a_map_that_says_the_same_everywhere_is_as_good_as_a_vector() -> None:
    """s = h at every position: the location-dependent form is then the location-independent one."""
    torch.manual_seed(3)
    by_vector = GatedPixelCNN(1, 3, 4, [1, 2], head_width=8, num_classes=5).double()
    sizes = {"channels": 5, "level": 0, "width": 5, "kernel": 3}
    model = GatedPixelCNN(1, 3, 4, [1, 2], head_width=8, given_map=sizes).double()
    model.load_state_dict(by_vector.state_dict(), strict=False)
    assert model.context_map is not None
    model.context_map.conv.weight.data.zero_()[torch.arange(5), torch.arange(5), 1, 1] = 1
    model.context_map.conv.bias.data.zero_()  # type: ignore[union-attr]
    images, vectors = random_images(model, 4, 5, 6), torch.rand(4, 5, dtype=torch.float64)
    maps = vectors[:, :, None, None].expand(-1, -1, 5, 6)
    assert torch.allclose(model.log_prob(images, maps), by_vector.log_prob(images, vectors), rtol=0, atol=1e-10)


@every_told_model
def test_a_pixel_is_told_of_the_map_around_it_also_of_what_lies_later(name: str) -> None:
    """What one number of the map moves: nothing in rows above those that the deconvolutions reach, and something."""
    height, width = 7, 6
    model = TOLD[name].model()
    sizes = model.given_map
    assert sizes is not None
    image, (rows, columns) = random_images(model, 1, height, width), sizes.shape(height, width)
    told_of_later = False
    with torch.no_grad():
        base = model.log_prob_map(image, torch.zeros(1, sizes.channels, rows, columns, dtype=torch.float64))[0].sum(0)
        for row, column in np.ndindex(rows, columns):
            changed = torch.zeros(1, sizes.channels, rows, columns, dtype=torch.float64)
            changed[:, :, row, column] = 3
            moved = model.log_prob_map(image, changed)[0].sum(0) != base
            assert not moved[: max(0, (row - sizes.kernel // 2) << sizes.level)].any()
            assert moved.any()
            told_of_later |= bool(moved.flatten()[: ((row * width + column) << sizes.level)].any())
    assert told_of_later


@every_told_model
def test_the_map_is_read_once_a_row_and_never_once_a_pixel(name: str) -> None:
    program = TOLD[name].model().program()
    readers = {phase.kind for phase in program.phases for op in phase.ops if reads_map(program, op)}
    assert readers == {"row"}


def reads_map(program: Program, op: Operation) -> bool:
    sources = [tap.source for tap in op.taps] if isinstance(op, Affine) else op.ins
    return any(program.feature(ref.feature).is_given or ref.feature == "context" for ref in sources)


def test_a_map_of_another_size_is_refused() -> None:
    model = by_map()
    images = torch.zeros(2, 1, 5, 6, dtype=torch.uint8)
    with pytest.raises(ModelError, match=r"context must be \[2, 1, 3, 3\], not \(2, 1, 2, 3\)"):
        model.log_prob(images, torch.zeros(2, 1, 2, 3))
    with pytest.raises(ModelError, match="takes a context"):
        model.log_prob(images)


@pytest.mark.parametrize(
    ("change", "message"),
    [({"level": 5}, "level of 0 to 4"), ({"width": 0}, "positive"), ({"kernel": 4}, "kernel sizes must be odd")],
)
def test_sizes_that_make_no_map_are_refused(change: dict[str, int], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        by_map(**change)


def test_a_model_is_told_a_vector_or_a_map() -> None:
    told = by_map().sizes()
    with pytest.raises(ModelError, match="not both"):
        GatedPixelCNN(**told | {"num_classes": 3})
    told["num_classes"], told["given_map"]["level"] = 3, 9
    assert list(faults(parse(GatedPixelCNNSizes, told))) == [
        "sizes.given_map.level must be 0 to 4, not 9",
        "sizes.num_classes must be 0, not 3: the model is told a map",
    ]
