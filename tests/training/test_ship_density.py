"""From a run of a density to its bundle: what it measures, tells and shows."""

import dataclasses
import math
from pathlib import Path

import pytest
import torch
from PIL import Image

from models.bundle import Bundle, load_bundle
from models.facts import DensityFacts, Estimate
from tests.training.greys import write_greys
from training.__main__ import main
from training.config import ConfigError, read_fit_config
from training.crops import dequantise
from training.density import pixels_of
from training.greys import load_greys
from training.measure import SEED
from training.ship import bundle_density, recheck, rewrite

FIT = """
id = "{name}"
data = "bsds300"
architecture = "{architecture}"
conditional = false
seed = 3
batch_size = 4
crop = 8
max_steps = 20
learning_rate = 1e-2
ema_decay = 0.9
validate_every = 10
num_validation = 8
checkpoint_every = 10
bf16 = false
compile = false
limits = "it knows nothing"
{more}
[sizes]
num_components = 3
num_scales = 2
num_features = 2
"""
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny data, two runs, and the bundles of both; the one is compared with the other."""
    folder = tmp_path_factory.mktemp("density")
    write_greys(folder / "data")
    # The files are not those of the data set; nobody is to fetch them.
    places = ["--data", str(folder / "data"), "--runs", str(folder / "runs")]
    for name, architecture, more in (("small", "mcgsm", ""), ("tiny", "ride", 'compare = ["small"]')):
        config = folder / f"{name}.toml"
        config.write_text(
            FIT.format(name=name, architecture=architecture, more=more)
            + ("width = 4\n" if name == "tiny" else "neighbourhood = 5\n")
        )
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("training.__main__.prepare", lambda name, root: root / name)
            assert main([*places, "fit", str(config), "--checkpoints", str(folder / "checkpoints")]) == 0
    return folder


@pytest.fixture
def bundle(root: Path) -> Bundle:
    return load_bundle(root / "checkpoints" / "tiny")


def facts(bundle: Bundle) -> DensityFacts:
    assert isinstance(bundle.config.evaluation, DensityFacts)
    return bundle.config.evaluation


def test_the_rates_are_those_of_whole_test_images_dequantised_once(bundle: Bundle, root: Path) -> None:
    images = load_greys("bsds300", root / "data")["test"]
    expected = []
    for k, image in enumerate(images):
        pixels = dequantise(image, torch.Generator().manual_seed(SEED + k))[None, None]
        expected.append(bundle.model.log_prob(pixels).item() / (math.log(2) * image.numel()) + 8)
    told = facts(bundle)
    assert told.num_images == len(images) == 8 and told.data == "BSDS300 in grey, test set"
    assert told.density_bits_per_pixel.mean == pytest.approx(sum(expected) / 8, abs=2e-4)
    assert told.bits_per_dim_bound.mean == pytest.approx(8 - told.density_bits_per_pixel.mean, abs=2e-4)
    assert told.score_quantiles[0] == pytest.approx(min(expected), abs=1e-3)
    assert told.score_quantiles[-1] == pytest.approx(max(expected), abs=1e-3)


def test_the_bundle_is_of_any_size_and_says_what_its_pixels_are(bundle: Bundle, root: Path) -> None:
    config = bundle.config
    assert (config.image, config.channels, config.num_levels, config.head) == ("any", 1, 0, "mcgsm")
    assert config.pixels is not None and config.pixels.dequantisation == "uniform"
    pixels = torch.cat([image.flatten() for image in load_greys("bsds300", root / "data")["train"]]).double()
    noisy = (pixels[:, None] + (torch.arange(1000) + 0.5) / 1000).flatten()
    low, high = torch.quantile(noisy[torch.randperm(len(noisy))[: 1 << 20]], torch.tensor([0.001, 0.998]).double())
    assert config.pixels.low == pytest.approx(low.item(), abs=0.5)
    assert config.pixels.high == pytest.approx(high.item(), abs=0.5)


def test_percentiles_by_hand() -> None:
    pixels = pixels_of([torch.arange(250).repeat(2).byte().view(2, 250)])
    assert (pixels.low, pixels.high) == (0.25, 249.5)


def test_it_is_compared_on_the_same_images_and_noise(bundle: Bundle, root: Path) -> None:
    other = load_bundle(root / "checkpoints" / "small")
    (comparison,) = facts(bundle).comparisons
    assert comparison.model == "small" and facts(other).comparisons == ()
    assert comparison.density_bits_per_pixel == facts(other).density_bits_per_pixel
    above = facts(bundle).density_bits_per_pixel.mean - facts(other).density_bits_per_pixel.mean
    assert comparison.above.mean == pytest.approx(above, abs=2e-4)


def test_evaluate_measures_again_what_the_bundle_says(
    bundle: Bundle, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert recheck(bundle, root / "data", progress=False)
    (comparison,) = facts(bundle).comparisons
    before, wrong = facts(bundle), Estimate(3.0, 0.1)
    for name, told in (
        ("density_bits_per_pixel.mean", dataclasses.replace(before, density_bits_per_pixel=wrong)),
        ("above small", dataclasses.replace(before, comparisons=(dataclasses.replace(comparison, above=wrong),))),
    ):
        rewrite(bundle, told, "none")
        assert not recheck(load_bundle(bundle.directory), root / "data", progress=False)
        assert f"{name}: told 3.0" in capsys.readouterr().out
        recheck(load_bundle(bundle.directory), root / "data", "it knows nothing", progress=False)
        assert facts(load_bundle(bundle.directory)) == before


def test_the_card_names_unit_noise_comparison_and_both_curves(bundle: Bundle) -> None:
    card, told = (bundle.directory / "README.md").read_text(), facts(bundle)
    assert f"{told.density_bits_per_pixel.mean:.4f} ± " in card and "bit/px of a density" in card
    assert f"this model above small, image by image | {told.comparisons[0].above.mean:.4f} ± " in card
    assert "a byte plus noise uniform on [0, 1)" in card and "upper bound" in card and "nats" not in card
    assert "- it knows nothing" in card and "Above tiny; below it small." in card
    curve = (bundle.directory / "curve.svg").read_text()
    assert ">tiny</text>" in curve and ">small</text>" in curve
    with Image.open(bundle.directory / "samples.png") as picture:
        assert picture.mode == "L" and picture.size == (518, 518)


def test_a_comparison_that_was_not_fitted_is_asked_for(root: Path, tmp_path: Path) -> None:
    config = read_fit_config(root / "tiny.toml")
    other = dataclasses.replace(read_fit_config(root / "small.toml"), id="missing")
    with pytest.raises(ConfigError, match=r"missing/best\.ckpt is not there"):
        bundle_density(config, [other], root / "runs", root / "data", tmp_path)
