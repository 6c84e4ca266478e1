"""Begins a run with the net of another, such as one that saw many images because they were small."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from models.base import Model
from training.checkpoint import part_of
from training.config import ConfigError, FitConfig
from training.datasets import find

TOLD = ("condition.weight", "classes.weight")
"""How the names of the weights end that have a column for each number that the model is told."""
TOLD_A_MAP = "large."
"""How the names begin of those of a chain's second net, which is told vectors that the chain makes."""


def check_start(config: FitConfig, start: FitConfig | None) -> None:
    """ConfigError unless `start` is the run that `config` begins with, and its net can be made of that one's."""
    if config.start_run != (start.id if start else ""):
        raise ConfigError(f"{config.id}: begins with {config.start_run or 'no other run'}, not with what is given")
    if start is None:
        return
    if start.crop or start.encoder or start.map:
        raise ConfigError(f"{config.id}: start_run {start.id} is told neither classes, tags nor nothing")
    known, told = told_names(start), told_names(config)
    if known and not told:
        raise ConfigError(f"{config.id}: {start.id} was told {', '.join(known)}: start_run needs these, too")


def told_names(config: FitConfig) -> tuple[str, ...]:
    """Names of the classes or tags that a run's net is told."""
    data = find(config.data)
    return (data.class_names or data.tag_names) if config.conditional else ()


def start_from(model: Model, path: Path, known: Sequence[str] = (), told: Sequence[str] = ()) -> None:
    """Give a model the averaged weights of a run's checkpoint at `path`.

    `known`: names of what the net of that run was told, `told`: of what the model is told. Equal names keep their
    weights; a new name begins with weights 0. Without names (vectors have none) the model may be told more, behind the
    same. ConfigError if the other net has other tensors.
    """
    if not path.exists():
        raise ConfigError(f"{path} is not there: fit the run to start from first")
    weights = part_of(torch.load(path, weights_only=True), "model.")
    try:
        for name, own in model.state_dict().items():
            if name.endswith(TOLD):
                old_names, names = ((), ()) if name.startswith(TOLD_A_MAP) else (known, told)
                old = weights.get(name, own.new_zeros(len(own), len(old_names)))
                weights[name] = _columns(old, own, old_names, names)
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigError(f"{path} is of another net: {error}") from error


def _columns(old: Tensor, own: Tensor, known: Sequence[str], told: Sequence[str]) -> Tensor:
    """The columns of `old` where those of `own` mean the same, and zeros."""
    if not told:
        return torch.cat([old, torch.zeros_like(own[:, old.shape[1] :])], 1)
    nothing = torch.zeros_like(own[:, 0])
    return torch.stack([old[:, known.index(name)] if name in known else nothing for name in told], 1)
