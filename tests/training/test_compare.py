"""Runs side by side."""

import dataclasses
from pathlib import Path

import pytest

from tests.training.data import write_tiny
from tests.training.test_ship import CONFIG, pytestmark  # noqa: F401
from training.compare import compare
from training.config import ConfigError
from training.datasets import load
from training.evaluate import estimate, scores
from training.fit import fit
from training.ship import read_checkpoint


def test_the_table_tells_what_each_run_came_to(tmp_path: Path) -> None:
    write_tiny(tmp_path / "data", "mnist", num_levels=256)
    configs = [dataclasses.replace(CONFIG, id=f"seed-{seed}", seed=seed) for seed in (1, 2)]
    for config in configs:
        fit(config, tmp_path / "runs", tmp_path / "data", progress=False)
    table, svg = compare(configs, tmp_path / "runs", tmp_path / "data", progress=False)
    header, _, *rows = table.splitlines()
    assert "validation, step 10" in header and "validation, step 20" in header
    for config, row in zip(configs, rows, strict=True):
        model, _ = read_checkpoint(tmp_path / "runs" / config.id / "best.ckpt", config)
        nats = estimate(-scores(model, load("mnist", tmp_path / "data")["test"]))
        assert row.startswith(f"| {config.id} |") and f"{nats.mean:.2f} ± {nats.standard_error:.2f}" in row
        assert f">{config.id}<" in svg


def test_runs_on_other_images_are_refused(tmp_path: Path) -> None:
    other = dataclasses.replace(CONFIG, data="fashion")
    with pytest.raises(ConfigError, match="the same images"):
        compare([CONFIG, other], tmp_path / "runs", tmp_path / "data")


def test_a_chain_without_a_coarse_net_of_its_own_is_refused(tmp_path: Path) -> None:
    chain = dataclasses.replace(CONFIG, architecture="multi_scale", coarse_run="apart")
    with pytest.raises(ConfigError, match="no likelihood of its own"):
        compare([chain], tmp_path / "runs", tmp_path / "data")
