"""Begins a run with the net of another, such as one that saw many images because they were small."""

from pathlib import Path

import torch

from models.base import Model
from training.config import ConfigError

TOLD = "condition.weight"
"""How the names of the weights end that have a column for each number that the model is told."""


def start_from(model: Model, path: Path) -> None:
    """Give a model the averaged weights of a run's checkpoint at `path`.

    The model may be told more than the net of that run, in a longer context (of a chain: of its second net), such as
    more classes after the same ones: what is told in addition begins with weights 0. ConfigError if the other net has
    other tensors.
    """
    if not path.exists():
        raise ConfigError(f"{path} is not there: fit the run to start from first")
    saved = torch.load(path, weights_only=True)["state_dict"]
    weights = {name.removeprefix("model."): value for name, value in saved.items() if name.startswith("model.")}
    try:
        for name, own in model.state_dict().items():
            if name.endswith(TOLD):
                old = weights.get(name, own[:, :0])
                weights[name] = torch.cat([old, torch.zeros_like(own[:, old.shape[1] :])], 1)
        model.load_state_dict(weights)
    except RuntimeError as error:
        raise ConfigError(f"{path} is of another net: {error}") from error
