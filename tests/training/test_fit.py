import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from tests.training.data import write_tiny
from training.config import FitConfig, read_fit_config
from training.contexts import one_hot
from training.datasets import load
from training.fit import Fit, averaging, build_model, fit, learning_rate_factor

CONFIG = """
id = "tiny"
data = "mnist-binary"
conditional = true
seed = 3
batch_size = 4
max_steps = {max_steps}
learning_rate = 1e-2
warmup_steps = 5
ema_decay = 0.9
validate_every = 50
num_validation = 8
checkpoint_every = 10
patience = {patience}
bf16 = false
compile = false
[sizes]
width = 2
dilations = [1]
head_width = 4
dropout = 0.2
"""
pytestmark = [
    # Advice of the training library that does not apply: few workers, short epochs, a folder in use, its own imports.
    pytest.mark.filterwarnings("ignore::UserWarning:lightning"),
    pytest.mark.filterwarnings("ignore:.*LeafSpec.*"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def write_config(folder: Path, max_steps: int = 300, patience: int = 100) -> Path:
    folder.mkdir(exist_ok=True)
    write_tiny(folder / "data")
    (folder / "tiny.toml").write_text(CONFIG.format(max_steps=max_steps, patience=patience))
    return folder / "tiny.toml"


def read_config(folder: Path, max_steps: int = 300, patience: int = 100) -> FitConfig:
    return read_fit_config(write_config(folder, max_steps, patience))


def load_last(run: Path) -> dict[str, Any]:
    return dict(torch.load(run / "last.ckpt", weights_only=True))


def assert_same(a: object, b: object) -> None:
    """Tensors bit by bit, everything else equal."""
    if isinstance(a, dict) and isinstance(b, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list) and isinstance(b, list):
        for x, y in zip(a, b, strict=True):
            assert_same(x, y)
    elif isinstance(a, Tensor) and isinstance(b, Tensor):
        assert torch.equal(a, b)
    else:
        assert a == b


def test_a_run_that_was_killed_ends_with_the_very_weights_of_an_undisturbed_one(tmp_path: Path) -> None:
    path = write_config(tmp_path)
    config, data = read_fit_config(path), tmp_path / "data"
    program = (
        "import sys, pathlib; from training.config import read_fit_config; from training.fit import fit; "
        "fit(read_fit_config(pathlib.Path(sys.argv[1])), *map(pathlib.Path, sys.argv[2:]), progress=False)"
    )
    killed = subprocess.Popen([sys.executable, "-c", program, path, tmp_path / "killed", data])
    deadline = time.monotonic() + 200
    while not (tmp_path / "killed" / "tiny" / "last.ckpt").exists() and time.monotonic() < deadline:
        time.sleep(0.002)
    killed.send_signal(signal.SIGKILL)
    assert killed.wait() == -signal.SIGKILL
    reached = load_last(tmp_path / "killed" / "tiny")["global_step"]
    assert 0 < reached < config.max_steps

    resumed = load_last(fit(config, tmp_path / "killed", data, progress=False))
    undisturbed = load_last(fit(config, tmp_path / "undisturbed", data, progress=False))
    for part in ("state_dict", "current_model_state", "averaging_state", "optimizer_states", "global_step"):
        assert_same(resumed[part], undisturbed[part])


def test_the_run_stops_when_validation_gets_no_better(tmp_path: Path) -> None:
    config = read_config(tmp_path, max_steps=5_000, patience=1)  # random images: nothing to learn but by heart
    last = load_last(fit(config, tmp_path / "runs", tmp_path / "data", progress=False))
    assert last["global_step"] < config.max_steps


def test_validation_and_the_kept_weights_are_those_of_the_average(tmp_path: Path) -> None:
    config = read_config(tmp_path, max_steps=50)
    run = fit(config, tmp_path / "runs", tmp_path / "data", progress=False)
    best = torch.load(run / "best.ckpt", weights_only=True)
    assert not torch.equal(best["state_dict"]["model.logits.bias"], best["current_model_state"]["model.logits.bias"])
    model = build_model(config)
    model.load_state_dict({name.removeprefix("model."): value for name, value in best["state_dict"].items()})
    split = load(config.data, tmp_path / "data")["validation"]
    context = one_hot(split.labels[:8], 10)
    expected = -model.eval().log_prob(split.images[:8], context).mean()
    reported = next(
        c["best_model_score"]
        for c in best["callbacks"].values()
        if c.get("monitor") == "validation_nats" and "best_model_score" in c
    )
    assert torch.allclose(reported, expected, atol=1e-4)


def test_the_average_forgets_faster_at_first_then_as_it_is_told() -> None:
    averaged = AveragedModel(nn.Linear(1, 1), avg_fn=averaging(0.5))
    expected = None
    for step, value in enumerate((4.0, 8.0, 2.0, 6.0, 3.0)):
        model = nn.Linear(1, 1)
        nn.init.constant_(model.weight, value)
        averaged.update_parameters(model)
        decay = min(0.5, (1 + step) / (10 + step))
        expected = value if expected is None else decay * expected + (1 - decay) * value
    assert averaged.module.weight.item() == pytest.approx(expected)


def test_the_learning_rate_rises_then_falls_to_nothing(tmp_path: Path) -> None:
    config = read_config(tmp_path, max_steps=100)
    factors = [learning_rate_factor(step, config) for step in range(101)]
    assert factors[0] < factors[2] < factors[4]
    assert factors[5:] == sorted(factors[5:], reverse=True)
    assert factors[100] == pytest.approx(0)


def test_the_weights_at_the_start_are_a_function_of_the_seed(tmp_path: Path) -> None:
    config = read_config(tmp_path)
    assert_same(build_model(config).state_dict(), build_model(config).state_dict())


def test_the_state_dict_holds_the_model_and_nothing_else(tmp_path: Path) -> None:
    config = read_config(tmp_path)
    assert set(Fit(config).state_dict()) == {f"model.{name}" for name in build_model(config).state_dict()}
