"""Begins a run with the net of another, such as one that saw many images because they were small."""

from pathlib import Path

import torch

from models.base import Model
from training.checkpoint import part_of
from training.config import ConfigError, FitConfig
from training.datasets import find

TOLD = "condition.weight"
"""How the names of the weights end that have a column for each number that the model is told."""


def check_start(config: FitConfig, start: FitConfig | None) -> None:
    """ConfigError unless `start` is the run that `config` begins with, and what its net is told comes first in what the
    new one is told."""
    if config.start_run != (start.id if start else ""):
        raise ConfigError(f"{config.id}: begins with {config.start_run or 'no other run'}, not with what is given")
    if start is None:
        return
    if start.crop or start.encoder or start.map:
        raise ConfigError(f"{config.id}: start_run {start.id} is told neither classes, tags nor nothing")
    known = _told_names(start)
    if _told_names(config)[: len(known)] != known:
        raise ConfigError(f"{config.id}: {start.id} was told {', '.join(known)}: start_run needs these first")


def _told_names(config: FitConfig) -> tuple[str, ...]:
    data = find(config.data)
    return (data.class_names or data.tag_names) if config.conditional else ()


def start_from(model: Model, path: Path) -> None:
    """Give a model the averaged weights of a run's checkpoint at `path`.

    The model may be told more than the net of that run, in a longer context (of a chain: of its second net), such as
    more classes after the same ones: what is told in addition begins with weights 0. ConfigError if the other net has
    other tensors.
    """
    if not path.exists():
        raise ConfigError(f"{path} is not there: fit the run to start from first")
    weights = part_of(torch.load(path, weights_only=True), "model.")
    try:
        for name, own in model.state_dict().items():
            if name.endswith(TOLD):
                old = weights.get(name, own[:, :0])
                weights[name] = torch.cat([old, torch.zeros_like(own[:, old.shape[1] :])], 1)
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigError(f"{path} is of another net: {error}") from error
