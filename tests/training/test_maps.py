"""Runs whose model is told a map of every image, on a tiny data set; the maps, and the bundles."""

from pathlib import Path

import pytest
import torch

from models.bundle import load_bundle
from models.conditioning import ByMap
from models.facts import EvaluationFacts
from tests.training.data import SIDE, write_tiny
from tests.training.test_encoders import config as run_config
from training.config import ConfigError, FitConfig, read_fit_config
from training.datasets import load
from training.fit import fit
from training.maps import EDGE_NAMES, MapConfig, edges, smaller, splits_told, told_maps
from training.ship import recheck
from training.ship_conditioned import bundle_conditioned

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
SMALLER = MapConfig("smaller", level=1, width=3, kernel=3)
EDGES = MapConfig("edges", level=0, width=3, kernel=3)


def config(told: MapConfig, **fields: object) -> FitConfig:
    return run_config(None, map=told, **fields)  # type: ignore[arg-type]


def test_a_smaller_image_holds_means_with_halves_rounded_up() -> None:
    image = torch.tensor([[0, 1, 9], [2, 3, 8], [5, 6, 7]], dtype=torch.uint8)[None, None]
    assert smaller(image, 1).tolist() == [[[[2, 9], [6, 7]]]]
    assert smaller(image, 2).tolist() == [[[[5]]]]


def test_an_edge_is_a_step_of_a_quarter_to_the_right_or_below() -> None:
    image = torch.tensor([[0, 63, 127], [0, 0, 127], [64, 64, 127]], dtype=torch.uint8)[None, None]
    assert edges(image, 256).tolist() == [[[[0, 1, 0], [1, 1, 0], [0, 0, 0]]]]
    in_colour = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    in_colour[0, 2, 1, 1] = 1
    assert edges(in_colour, 2).tolist() == [[[[0, 1], [1, 0]]]]


def test_an_image_is_told_from_minus_one_to_one_and_a_label_at_its_own_place(tmp_path: Path) -> None:
    write_tiny(tmp_path, "mnist", num_levels=256)
    split = load("mnist", tmp_path)["test"]
    image = told_maps(split, SMALLER.conditioning(1, 256), 256).labels
    assert torch.allclose((image + 1) * 127.5, smaller(split.images, 1).float(), atol=1e-4)
    labels = told_maps(split, EDGES.conditioning(1, 256), 256).labels
    assert torch.equal(labels.sum(1, keepdim=True), torch.ones(len(split), 1, SIDE, SIDE, dtype=torch.int64))
    assert torch.equal(labels[:, 1:], edges(split.images, 256))


@pytest.mark.parametrize("told", [SMALLER, EDGES], ids=["smaller", "edges"])
def test_a_bundle_says_what_is_told_and_its_figures_are_those_of_its_weights(told: MapConfig, tmp_path: Path) -> None:
    write_tiny(tmp_path / "data")
    run = config(told)
    fit(run, tmp_path / "runs", tmp_path / "data", progress=False)
    bundle_conditioned(run, tmp_path / "runs", tmp_path / "data", tmp_path, progress=False)
    bundle = load_bundle(tmp_path / "tiny")
    conditioning, facts = bundle.config.conditioning, bundle.config.evaluation
    assert isinstance(conditioning, ByMap) and isinstance(facts, EvaluationFacts) and facts.condition is not None
    assert conditioning == (
        ByMap("map", "image", 1, 1, 2) if told is SMALLER else ByMap("map", "labels", 0, 1, 2, EDGE_NAMES)
    )
    test = splits_told(load(run.data, tmp_path / "data"), conditioning, 2)["test"]
    with torch.no_grad():
        own = bundle.model.log_prob(test.images, test.labels.float()).mean().item()
        without = bundle.model.log_prob(test.images, torch.zeros(test.labels.shape)).mean().item()
    assert facts.log_prob_nats.mean == pytest.approx(own, abs=1e-3)
    assert facts.condition.gain_nats.mean == pytest.approx(own - without, abs=2e-3)
    agreement = facts.condition.agreement
    assert agreement is not None and agreement.num_samples == 1_000 and 0 < agreement.told < 1
    assert recheck(bundle, tmp_path / "data", progress=False)
    card = (bundle.directory / "README.md").read_text()
    assert ("2 times smaller: super-resolution" if told is SMALLER else "a label of every pixel: flat, edge") in card
    assert f"of another test image {agreement.another:.4g}" in card
    assert "8 samples given that" in card and (bundle.directory / "samples.png").exists()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ('source = "smaller"\nlevel = 0', "map.level must be 0 for edges and 1 or more for a smaller image, not 0"),
        ('source = "edges"\nlevel = 1', "map.level must be 0 for edges"),
        ('source = "depth"\nlevel = 0', "map.source must be 'smaller' or 'edges', not 'depth'"),
        ('source = "edges"', "field map.level is missing"),
        ('source = "edges"\nlevel = 0\n[encoder]\nsize = 1\nwidths = [1]\nhidden = 1', "or a map, not both"),
    ],
)
def test_a_wrong_config_is_refused(tmp_path: Path, change: str, reason: str) -> None:
    plain = 'id = "a"\ndata = "mnist"\nconditional = true\nseed = 1\nbatch_size = 1\nmax_steps = 1\nsizes = {}\n'
    (tmp_path / "a.toml").write_text(f"{plain}learning_rate = 1.0\n[map]\nwidth = 3\nkernel = 3\n{change}\n")
    with pytest.raises(ConfigError, match=reason):
        read_fit_config(tmp_path / "a.toml")
