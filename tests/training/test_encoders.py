"""Runs with an encoder, on a tiny data set: trained by a metric first, or with the model; and their bundles."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from models.bundle import Bundle, load_bundle
from models.conditioning import ByEmbedding
from models.encoder import Encoder
from models.facts import EvaluationFacts
from tests.training.data import write_tiny
from training.config import ConfigError, FitConfig, read_fit_config
from training.contexts import embedded
from training.datasets import Split, load
from training.encoder_config import EncoderConfig, MetricLoss
from training.encoders import ENCODER_FILE, auto_encoder, told_splits
from training.fit import Fit, fit
from training.metric import contrastive, fit_by_metric, view
from training.mse import train_mse
from training.ship import recheck
from training.ship_conditioned import bundle_conditioned

METRIC = EncoderConfig(6, (4,), 8, MetricLoss(steps=5, batch_size=16))
BY_LIKELIHOOD = EncoderConfig(3, (4,), 8)
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def config(encoder: EncoderConfig, **fields: object) -> FitConfig:
    told: dict[str, object] = {
        "id": "tiny",
        "data": "mnist-binary",
        "conditional": True,
        "sizes": {"width": 2, "dilations": [1], "head_width": 4},
        "seed": 1,
        "batch_size": 4,
        "max_steps": 20,
        "learning_rate": 1e-2,
        "validate_every": 10,
        "checkpoint_every": 10,
        "num_validation": 8,
        "bf16": False,
        "compile": False,
        "context_dropout": 0.2,
        "limits": "it knows nothing",
    }
    return FitConfig(**{**told, "encoder": encoder, **fields})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("encoders")
    write_tiny(folder / "data")
    return folder


@pytest.fixture(scope="module")
def by_metric(root: Path) -> Bundle:
    run = config(METRIC)
    fit(run, root / "runs", root / "data", progress=False)
    bundle_conditioned(run, root / "runs", root / "data", root / "checkpoints", progress=False)
    return load_bundle(root / "checkpoints" / "tiny")


def test_a_bundle_by_metric_carries_the_encoder_and_its_figures(root: Path, by_metric: Bundle) -> None:
    told = by_metric.config
    assert told.conditioning == ByEmbedding("embedding", 6, normalised=True) and by_metric.encoder is not None
    assert isinstance(told.evaluation, EvaluationFacts) and told.evaluation.condition is not None
    recognition = told.evaluation.condition.recognition
    assert recognition is not None and (recognition.num_samples, recognition.among) == (1_000, 30)
    test = embedded(load("mnist-binary", root / "data")["test"], by_metric.encoder)
    with torch.no_grad():
        own = by_metric.model.log_prob(test.images, test.labels).mean().item()
        without = by_metric.model.log_prob(test.images, torch.zeros_like(test.labels)).mean().item()
    assert told.evaluation.log_prob_nats.mean == pytest.approx(own, abs=1e-3)
    assert told.evaluation.condition.gain_nats.mean == pytest.approx(own - without, abs=2e-3)
    assert recheck(by_metric, root / "data", progress=False)
    card = (by_metric.directory / "README.md").read_text()
    assert "by chance 3.3%" in card and "![paths](paths.png)" in card


def test_an_encoder_that_was_trained_is_not_trained_again(root: Path, by_metric: Bundle) -> None:
    splits = load("mnist-binary", root / "data")
    told = told_splits(config(METRIC), splits, root / "runs" / "tiny")
    assert by_metric.encoder is not None and (root / "runs" / "tiny" / ENCODER_FILE).exists()
    torch.testing.assert_close(told["train"].labels, embedded(splits["train"], by_metric.encoder).labels)


def test_an_auto_encoder_trains_its_encoder_with_the_model(root: Path, tmp_path: Path) -> None:
    run = config(BY_LIKELIHOOD, id="ae")
    fit(run, tmp_path, root / "data", progress=False)
    trained = torch.load(tmp_path / "ae" / "best.ckpt", weights_only=True)["state_dict"]
    untrained = Fit(run, auto_encoder(run, root / "data")).state_dict()
    assert trained.keys() == untrained.keys()
    assert not any(torch.equal(trained[name], untrained[name]) for name in trained if name.startswith("encoder."))


def test_a_squared_error_auto_encoder_rebuilds_the_images_it_has_seen() -> None:
    images = torch.randint(0, 2, (8, 1, 6, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    net = train_mse(Encoder(1, 2, 6, 6, 8, (8,), 32, False), Split(images, torch.zeros(8)), seed=1, steps=150)
    with torch.no_grad():
        assert (net(images).round() == images).double().mean() > 0.9


def test_views_of_an_image_are_pulled_together_and_those_of_others_apart() -> None:
    loss = MetricLoss(steps=1, by_class=0.0)
    one, other = torch.eye(4)[0], torch.eye(4)[1]
    labels = torch.tensor([0, 1, 0, 1])
    alike = contrastive(torch.stack([one, other, one, other]), labels, loss)
    swapped = contrastive(torch.stack([one, other, other, one]), labels, loss)
    assert alike < 0.001 < 5 < swapped
    by_class = MetricLoss(steps=1, by_class=1.0)
    everybody = torch.stack([one, one, one, one])
    assert contrastive(everybody, torch.zeros(4), by_class).item() == pytest.approx(torch.tensor(3.0).log().item())


def test_training_by_metric_makes_an_image_known_again() -> None:
    coarse = torch.rand(64, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    images = (255 * F.interpolate(coarse, (8, 8), mode="bilinear")).byte()
    split, loss = Split(images, torch.zeros(64)), MetricLoss(steps=100, batch_size=64, by_class=0.0, noise=0.1)
    torch.manual_seed(2)
    encoder = Encoder(1, 256, 8, 8, 16, (8,), 32, True)

    def share_known() -> float:
        with torch.no_grad():
            seen = encoder(view(images.float(), 256, loss, torch.Generator().manual_seed(9)))
            return float((seen @ encoder(images).T).argmax(1).eq(torch.arange(64)).double().mean())

    before = share_known()
    fit_by_metric(encoder, split, loss, seed=3)
    assert share_known() > before + 0.25


def test_the_shipped_configs_are_read(root: Path) -> None:
    folder = Path(__file__).parents[2] / "training" / "configs"
    told = read_fit_config(folder / "gated-pixelcnn-fashion-embedding.toml").encoder
    assert told is not None and told.metric is not None and told.widths == (32, 64, 128)
    assert read_fit_config(folder / "pixelcnn-ae-mnist.toml").encoder == EncoderConfig(10, (32, 64, 128), 256)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ("conditional = false", "an encoder, a map and context_dropout are for a model that is conditional"),
        ("context_dropout = 1.0", r"context_dropout must be in \[0, 1\)"),
        ("[encoder]\nsize = 1", "field encoder.widths is missing"),
    ],
)
def test_a_wrong_config_is_refused(tmp_path: Path, change: str, reason: str) -> None:
    plain = 'id = "a"\ndata = "mnist"\nseed = 1\nbatch_size = 1\nmax_steps = 1\nlearning_rate = 1.0\nsizes = {}\n'
    encoder = "\n[encoder]\nsize = 1\nwidths = [1]\nhidden = 1\n"
    told = "" if "conditional" in change else "conditional = true\n"
    (tmp_path / "a.toml").write_text(plain + told + change + ("" if "encoder" in change else encoder))
    with pytest.raises(ConfigError, match=reason):
        read_fit_config(tmp_path / "a.toml")
