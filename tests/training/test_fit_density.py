"""A density through the same training loop: it learns, and a resumed run ends as an undisturbed one."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from models.ride import RIDE
from tests.training.greys import write_greys
from tests.training.test_fit import assert_same, load_last
from training.batches import Batch
from training.config import ConfigError, FitConfig, read_fit_config
from training.crops import CropBatches
from training.curve import read_curve
from training.fit import build_model, fit, loaders

CONFIG = """
id = "tiny"
data = "bsds300"
architecture = "ride"
conditional = false
seed = 3
batch_size = 4
crop = 8
flip = true
max_steps = 60
learning_rate = 1e-2
warmup_steps = 5
ema_decay = 0.9
validate_every = 20
num_validation = 8
checkpoint_every = 20
bf16 = false
[sizes]
width = 4
num_components = 3
num_scales = 2
num_features = 2
"""
pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:lightning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def read_config(folder: Path, text: str = CONFIG) -> FitConfig:
    (folder / "tiny.toml").write_text(text)
    return read_fit_config(folder / "tiny.toml")


def test_validation_falls_and_an_interrupted_run_ends_with_the_same_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_greys(tmp_path / "data")
    config = read_config(tmp_path)
    undisturbed = fit(config, tmp_path / "runs", tmp_path / "data", progress=False)
    curve = [value for _, value in read_curve(undisturbed, "validation_nats")]
    assert len(curve) == 3 and curve[-1] < curve[0]
    bits = [value for _, value in read_curve(undisturbed, "validation_bits_per_dim")]
    assert bits[0] == pytest.approx(curve[0] / (64 * 0.693147), rel=1e-4)
    with monkeypatch.context() as patched:
        patched.setattr(CropBatches, "__iter__", broken_after(30))
        with pytest.raises(OSError, match="the disk is gone"):
            fit(config, tmp_path / "broken", tmp_path / "data", progress=False)
    assert load_last(tmp_path / "broken" / "tiny")["global_step"] == 20
    resumed = fit(config, tmp_path / "broken", tmp_path / "data", progress=False)
    for part in ("state_dict", "current_model_state", "optimizer_states", "global_step"):
        assert_same(load_last(resumed)[part], load_last(undisturbed)[part])


def broken_after(num_batches: int) -> Callable[[CropBatches], Iterator[Batch]]:
    whole = CropBatches.__iter__

    def iterate(batches: CropBatches) -> Iterator[Batch]:
        yield from itertools.islice(whole(batches), num_batches)
        raise OSError("the disk is gone")

    return iterate


def test_the_whitening_is_that_of_all_training_images_and_is_kept(tmp_path: Path) -> None:
    write_greys(tmp_path / "data")
    config = read_config(tmp_path)
    model = build_model(config)
    loaders(config, tmp_path / "data", tmp_path, model, lambda: 0)
    assert isinstance(model, RIDE) and model.whitening.mean.item() == pytest.approx(120, abs=20)
    kept = load_last(fit(config, tmp_path / "runs", tmp_path / "data", progress=False))["state_dict"]
    for name, value in model.whitening.named_buffers():
        assert torch.equal(kept[f"model.whitening.{name}"], value), name


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("crop = 8", "", "crop must be positive for a density, and only"),
        (
            'architecture = "ride"',
            'architecture = "pixel_cnn"',
            "crop must be positive for a density, and only",
        ),
        ("bf16 = false", "bf16 = true", "a density is trained in float32: bf16 must be false"),
        ("crop = 8", 'crop = 8\ncompare = "other"', "compare must be a list, not 'other'"),
    ],
)
def test_what_does_not_fit_a_density_is_refused(old: str, new: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=reason):
        read_config(tmp_path, CONFIG.replace(old, new))


def test_data_of_the_other_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="mnist holds no grey images of any size"):
        build_model(read_config(tmp_path, CONFIG.replace("bsds300", "mnist")))
    discrete = CONFIG.replace("ride", "pixel_cnn").replace("crop = 8\n", "").split("[sizes]")[0]
    with pytest.raises(ConfigError, match="bsds300 is a set for densities"):
        build_model(read_config(tmp_path, discrete + "[sizes]\nwidth = 2\ndilations = [1]"))
