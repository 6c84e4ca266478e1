from pathlib import Path
from typing import Any

import pytest

import training
from training.config import ConfigError, FitConfig, read_fit_config
from training.datasets import find
from training.fit import build_model

CONFIGS = sorted((Path(training.__file__).parent / "configs").glob("*.toml"))
GOOD = """
id = "tiny"
data = "mnist"
conditional = true
seed = 1
batch_size = 4
max_steps = 10
learning_rate = 1e-3
[sizes]
width = 2
dilations = [1]
"""


def read(text: str, folder: Path) -> FitConfig:
    (folder / "run.toml").write_text(text)
    return read_fit_config(folder / "run.toml")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_config_is_read_and_is_named_as_its_bundle(path: Path) -> None:
    config = read_fit_config(path)
    assert config.id == path.stem
    assert find(config.data)
    assert holds(build_model(config).sizes(), config.sizes)


def holds(sizes: dict[str, Any], told: dict[str, Any]) -> bool:
    """Whether `sizes`, and the sizes of nets in them, hold all that is told."""
    return all(holds(sizes[k], v) if isinstance(v, dict) else sizes[k] == v for k, v in told.items())


def test_sizes_that_make_no_model_are_refused(tmp_path: Path) -> None:
    for sizes, reason in (("width = 0", "width"), ("width = 2\ndepth = 1", "depth")):
        with pytest.raises(ConfigError, match=f"tiny: sizes make no gated_pixelcnn: .*{reason}"):
            build_model(read(GOOD.replace("width = 2", sizes), tmp_path))


def test_a_config_is_read(tmp_path: Path) -> None:
    assert read(GOOD, tmp_path).sizes == {"width": 2, "dilations": [1]}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("momentum = 1" + GOOD, "unknown field momentum; there are id, data"),
        (GOOD.replace("seed = 1", ""), "seed"),
        (GOOD.replace("batch_size = 4", "batch_size = 0"), "batch_size must be positive"),
        ("ema_decay = 1.0" + GOOD, r"ema_decay must be in \[0, 1\)"),
        ('architecture = "diffusion"' + GOOD, "architecture must be 'gated_pixelcnn' or 'pixel_cnn'"),
        (GOOD.replace("batch_size = 4", 'batch_size = "4"'), "batch_size must be an integer, not '4'"),
        (GOOD.replace("conditional = true", 'conditional = "no"'), "conditional must be true or false, not 'no'"),
        (GOOD.replace("learning_rate = 1e-3", "learning_rate = nan"), "learning_rate must be finite"),
        ('compare = "mcgsm"' + GOOD, "compare must be a list"),
        ("shift = -1\n" + GOOD, "shift is 0 or more"),
        ("shift = 1\n" + GOOD + "[encoder]\nsize = 2\nwidths = [2]\nhidden = 2", "and 0 for crops, with an encoder"),
        ('start_run = "other"' + GOOD + "[encoder]\nsize = 2\nwidths = [2]\nhidden = 2", "start_run is for a model of"),
        ("encoder = 3" + GOOD, "encoder must be an object, not 3"),
        (GOOD.replace("[sizes]", "[map]"), "field sizes is missing"),
        ("sizes = 3" + GOOD.partition("[sizes]")[0], "sizes must be an object, not 3"),
        (GOOD + "]", "run.toml"),
    ],
)
def test_a_wrong_config_is_refused_with_the_reason(text: str, reason: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=reason):
        read(text, tmp_path)


def test_a_missing_config_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_fit_config(tmp_path / "none.toml")
