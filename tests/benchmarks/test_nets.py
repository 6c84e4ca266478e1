from pathlib import Path

import pytest
import torch

from benchmarks.nets import flops_per_pixel, gated_pixelcnn, smallest, write_random_bundle
from models.bundle import load_bundle
from models.gated_pixelcnn import GatedPixelCNN


def test_the_net_of_the_tables_costs_what_the_reference_says() -> None:
    assert flops_per_pixel(gated_pixelcnn().program()) == pytest.approx(2.57e6, rel=0.01)


@pytest.mark.parametrize("model", [gated_pixelcnn(2, 4), smallest()])
def test_a_random_bundle_loads_with_the_same_weights(model: GatedPixelCNN, tmp_path: Path) -> None:
    write_random_bundle(tmp_path / "net", model)
    loaded = load_bundle(tmp_path / "net")
    assert loaded.config.image == "any"
    for name, weights in model.state_dict().items():
        assert torch.equal(loaded.model.state_dict()[name], weights)
