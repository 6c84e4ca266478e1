import dataclasses
import math
from pathlib import Path

import pytest
import torch
from PIL import Image

from models.bundle import Bundle, load_bundle
from models.bundle_config import ImageShape
from models.conditioning import ByClass
from models.facts import Estimate, EvaluationFacts
from models.multi_scale import MultiScale
from tests.training.data import NUM_TEST, SIDE, write_tiny
from training.config import ConfigError, FitConfig
from training.contexts import one_hot
from training.datasets import load
from training.fit import build_model, fit
from training.samples import grid, pictured
from training.ship import bundle_run, read_checkpoint, recheck, rewrite, take_coarse_net

CONFIG = FitConfig(
    id="tiny",
    data="mnist",
    conditional=True,
    sizes={"width": 2, "dilations": [1], "head_width": 4},
    seed=1,
    batch_size=4,
    max_steps=20,
    learning_rate=1e-2,
    validate_every=10,
    checkpoint_every=10,
    num_validation=8,
    bf16=False,
    compile=False,
    limits="it knows nothing\nit is small",
)
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with tiny data, a finished run and its bundle."""
    folder = tmp_path_factory.mktemp("ship")
    write_tiny(folder / "data", "mnist", num_levels=256)
    fit(CONFIG, folder / "runs", folder / "data", progress=False)
    bundle_run(CONFIG, folder / "runs", folder / "data", folder / "checkpoints", judge=False)
    return folder


@pytest.fixture
def bundle(root: Path) -> Bundle:
    return load_bundle(root / "checkpoints" / "tiny")


def test_the_bundle_says_what_was_trained(bundle: Bundle) -> None:
    config = bundle.config
    assert config.image == ImageShape(SIDE, SIDE)
    assert config.head == "categorical"
    assert isinstance(config.conditioning, ByClass)
    assert config.conditioning.names == tuple("0123456789")
    assert (config.training.steps % 10, config.training.images_seen) == (0, 4 * config.training.steps)
    assert config.evaluation.num_images == NUM_TEST


def test_its_figures_are_those_of_its_weights(bundle: Bundle, root: Path) -> None:
    test = load("mnist", root / "data")["test"]
    log_prob = bundle.model.log_prob(test.images, one_hot(test.labels, 10))
    assert bundle.config.evaluation.log_prob_nats.mean == pytest.approx(log_prob.mean().item(), abs=1e-3)
    assert recheck(bundle, root / "data", progress=False)


def test_wrong_figures_are_found_and_put_right(bundle: Bundle, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = dataclasses.replace(bundle.config.evaluation, log_prob_nats=Estimate(-1.0, 0.1))
    rewrite(bundle, wrong, "none")
    assert not recheck(load_bundle(bundle.directory), root / "data", progress=False)
    assert "log_prob_nats.mean: told -1.0, measured" in capsys.readouterr().out
    recheck(load_bundle(bundle.directory), root / "data", CONFIG.limits, progress=False)
    assert recheck(load_bundle(bundle.directory), root / "data", progress=False)


def test_the_card_shows_figures_limits_and_pictures(bundle: Bundle) -> None:
    card = (bundle.directory / "README.md").read_text()
    assert f"{-bundle.config.evaluation.log_prob_nats.mean:.2f} ± " in card
    assert "- it knows nothing\n- it is small\n" in card
    assert "CC BY-SA 3.0" in card
    for name in ("samples.png", "curve.svg"):
        assert f"({name})" in card and (bundle.directory / name).stat().st_size > 0
    with Image.open(bundle.directory / "samples.png") as picture:
        assert picture.format == "PNG"


def test_a_run_without_a_validation_is_not_shipped(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="has not been validated yet"):
        bundle_run(CONFIG, tmp_path / "runs", tmp_path / "data", tmp_path / "checkpoints")


def test_a_grid_holds_every_image_once() -> None:
    images = torch.arange(4 * 4, dtype=torch.uint8).reshape(4, 1, 2, 2)
    picture = grid(images, num_levels=256, columns=2, zoom=1, gap=1)
    assert picture.size == (7, 7)
    assert [picture.getpixel((x, y)) for y in (1, 2, 4, 5) for x in (1, 2, 4, 5)] == [
        *(0, 1, 4, 5),
        *(2, 3, 6, 7),
        *(8, 9, 12, 13),
        *(10, 11, 14, 15),
    ]


def test_colour_is_shipped_beside_what_png_and_a_histogram_need(tmp_path: Path) -> None:
    config = dataclasses.replace(
        CONFIG, data="emoji32", architecture="row_lstm", sizes={"width": 3, "num_layers": 1, "head_width": 3}
    )
    write_tiny(tmp_path / "data", "emoji32", num_levels=256)
    fit(config, tmp_path / "runs", tmp_path / "data", progress=False)
    written = bundle_run(config, tmp_path / "runs", tmp_path / "data", tmp_path / "checkpoints")
    assert (written.channels, written.num_levels, written.image) == (3, 256, ImageShape(SIDE, SIDE))
    assert isinstance(written.evaluation, EvaluationFacts)
    assert written.evaluation.classifier is None and written.evaluation.baselines is not None
    png = written.evaluation.baselines.png.mean
    bundle = load_bundle(tmp_path / "checkpoints" / "tiny")
    card = (bundle.directory / "README.md").read_text()
    assert f"the same images as PNG files | {png:.4f} ± " in card and "columns: smileys, people," in card
    with Image.open(bundle.directory / "samples.png") as picture:
        assert picture.mode == "RGB"
    assert recheck(bundle, tmp_path / "data", progress=False)
    wrong = dataclasses.replace(written.evaluation.baselines, png=Estimate(png * 1.2, 0.1))
    rewrite(bundle, dataclasses.replace(written.evaluation, baselines=wrong), "none")
    assert not recheck(load_bundle(bundle.directory), tmp_path / "data", progress=False)


def test_a_chain_is_shipped_with_both_scales_and_their_sum_as_a_bound(tmp_path: Path) -> None:
    net = {"kind": "row_lstm", "width": 3, "num_layers": 1, "head_width": 3}
    sizes = {"level": 1, "map_width": 2, "map_kernel": 3, "small": net, "large": net}
    config = dataclasses.replace(CONFIG, data="emoji32", architecture="multi_scale", sizes=sizes)
    write_tiny(tmp_path / "data", "emoji32", num_levels=256)
    fit(config, tmp_path / "runs", tmp_path / "data", progress=False)
    written = bundle_run(config, tmp_path / "runs", tmp_path / "data", tmp_path / "checkpoints")
    bundle = load_bundle(tmp_path / "checkpoints" / "tiny")
    assert bundle.config == written and isinstance(written.evaluation, EvaluationFacts)
    assert written.evaluation.scales is not None
    coarse, fine = written.evaluation.scales
    half = -(-SIDE // 2)
    assert [(scale.height, scale.width) for scale in (coarse, fine)] == [(half, half), (SIDE, SIDE)]
    nats = 3 * math.log(2) * (coarse.bits_per_dim.mean * half**2 + fine.bits_per_dim.mean * SIDE**2)
    assert written.evaluation.log_prob_nats.mean == pytest.approx(-nats, rel=1e-4)
    assert written.evaluation.bits_per_dim.mean > fine.bits_per_dim.mean
    card = (bundle.directory / "README.md").read_text()
    assert f"the {half}x{half} image | {coarse.bits_per_dim.mean:.4f} ± " in card
    assert f"the {SIDE}x{SIDE} image, given the {half}x{half} one | {fine.bits_per_dim.mean:.4f} ± " in card
    assert "upper bound: all scales together" in card and "(coarse.png)" in card
    with (
        Image.open(bundle.directory / "samples.png") as fine_sheet,
        Image.open(bundle.directory / "coarse.png") as sheet,
    ):
        assert fine_sheet.size == sheet.size
    assert recheck(bundle, tmp_path / "data", progress=False)
    wrong = dataclasses.replace(coarse, bits_per_dim=fine.bits_per_dim)
    rewrite(bundle, dataclasses.replace(written.evaluation, scales=(wrong, fine)), "none")
    assert not recheck(load_bundle(bundle.directory), tmp_path / "data", progress=False)


def test_a_chain_takes_the_net_of_its_coarse_run(tmp_path: Path) -> None:
    net = {"width": 3, "num_layers": 1, "head_width": 3}
    kind = {"kind": "row_lstm", **net}
    sizes = {"level": 2, "map_width": 2, "map_kernel": 3, "small": kind, "large": kind}
    chain = dataclasses.replace(
        CONFIG, data="emoji64", architecture="multi_scale", sizes=sizes, max_steps=10, coarse_run="apart"
    )
    apart = dataclasses.replace(CONFIG, id="apart", data="emoji16", architecture="row_lstm", sizes=net, max_steps=10)
    for config in (chain, apart):
        write_tiny(tmp_path / "data", config.data, num_levels=256)
        fit(config, tmp_path / "runs", tmp_path / "data", progress=False)
    bundle_run(chain, tmp_path / "runs", tmp_path / "data", tmp_path / "checkpoints")
    shipped = load_bundle(tmp_path / "checkpoints" / "tiny").model
    assert isinstance(shipped, MultiScale)
    coarse = read_checkpoint(tmp_path / "runs" / "apart" / "best.ckpt", apart)[0].state_dict()
    assert all(torch.equal(value, coarse[name]) for name, value in shipped.small.state_dict().items())
    fitted = read_checkpoint(tmp_path / "runs" / "tiny" / "best.ckpt", chain)[0]
    begun = build_model(chain)
    assert isinstance(fitted, MultiScale) and isinstance(begun, MultiScale)
    kept = [torch.equal(value, begun.small.state_dict()[name]) for name, value in fitted.small.state_dict().items()]
    assert all(kept), "the net that will be replaced is not fitted"
    other = dataclasses.replace(chain, sizes={**sizes, "small": {**kind, "width": 6}})
    with pytest.raises(ConfigError, match="other sizes"):
        take_coarse_net(build_model(other), tmp_path / "runs" / "apart" / "best.ckpt")


def test_the_picture_has_a_column_for_each_class() -> None:
    assert [pictured(num_classes) for num_classes in (0, 9, 10, 1000)] == [(100, 10), (99, 9), (100, 10), (100, 10)]
