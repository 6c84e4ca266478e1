"""Densities in bundles: their whitening is kept with the weights, and `any` is a size."""

from pathlib import Path

import pytest
import torch

from models.bundle import load_bundle, write_bundle
from models.bundle_config import BundleConfig, BundleError, DensityPixels
from models.conditioning import Unconditional
from models.facts import DensityFacts, Estimate, TrainingFacts
from models.mcgsm import MCGSM
from models.ride import RIDE
from models.sizes import SIZES, Architecture
from models.strict_json import parse
from tests.models.tiny import DENSITIES


def config(architecture: Architecture, model: MCGSM | RIDE) -> BundleConfig:
    figures = (Estimate(1.5, 0.1), Estimate(1.6, 0.1), Estimate(6.5, 0.1))
    facts = DensityFacts("noise", 7, *figures, tuple(map(float, range(-101, 0))))
    return BundleConfig(
        format=1,
        id="tiny",
        architecture=architecture,
        sizes=parse(SIZES[architecture], model.sizes()),
        image="any",
        channels=1,
        num_levels=0,
        head="mcgsm",
        conditioning=Unconditional("none"),
        weights_sha256="",
        training=TrainingFacts("noise", "none", 0, 10, 40, 0.1),
        evaluation=facts,
        pixels=DensityPixels("uniform", 3.0, 250.0),
    )


@pytest.mark.parametrize(("name", "architecture"), [("mcgsm 5x5", "mcgsm"), ("ride 2 layers", "ride")])
def test_a_density_comes_back_with_its_whitening(name: str, architecture: Architecture, tmp_path: Path) -> None:
    model = DENSITIES[name].model().float()
    assert isinstance(model, MCGSM | RIDE)
    write_bundle(tmp_path / "tiny", model, config(architecture, model), "# tiny\n")
    loaded = load_bundle(tmp_path / "tiny").model
    assert type(loaded) is type(model) and loaded.sizes() == model.sizes()
    assert all(torch.equal(value, loaded.state_dict()[key]) for key, value in model.state_dict().items())
    assert "whitening.mean" in loaded.state_dict() and loaded.state_dict()["whitening.mean"].item() == 2
    images = torch.randn(2, 1, 4, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(loaded.log_prob(images), model.log_prob(images))


def test_sizes_out_of_range_are_refused(tmp_path: Path) -> None:
    model = RIDE(4, 1, 5, 2, 2, 2)
    write_bundle(tmp_path / "tiny", model, config("ride", model), "# tiny\n")
    path = tmp_path / "tiny" / "config.json"
    good = path.read_text()
    for old, new, reason in (
        ('"neighbourhood": 5', '"neighbourhood": 33', "sizes.neighbourhood must be 3 to 31, not 33"),
        ('"neighbourhood": 5', '"neighbourhood": 4', "the neighbourhood must be odd"),
        ('"num_scales": 2', '"num_scales": 0', "sizes.num_scales must be 1 to 64, not 0"),
        ('"num_components": 2', '"num_components": 8193', "sizes.num_components must be 1 to 4096, not 8193"),
        (
            '"num_components": 2,\n  "num_scales": 2',
            '"num_components": 4096,\n  "num_scales": 64',
            "sizes.num_components times num_scales is 262144, more than 16384",
        ),
        ('"num_levels": 0', '"num_levels": 256', "num_levels is 256 but sizes.num_levels is 0"),
        ('"low": 3.0', '"low": 251', "pixels.low and .high must rise"),
        ('"dequantisation": "uniform"', '"dequantisation": "none"', "dequantisation must be 'uniform', not 'none'"),
        ('"bits_per_dim_bound"', '"bits_per_dim"', "unknown field evaluation.bits_per_dim"),
        ('"head": "mcgsm"', '"head": "categorical"', "head must be 'mcgsm' for num_levels 0"),
    ):
        assert old in good
        path.write_text(good.replace(old, new))
        with pytest.raises(BundleError, match=reason):
            load_bundle(tmp_path / "tiny")
