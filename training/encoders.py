"""The encoder of a run, before its model: trained by a metric once, then kept in the run's folder."""

from pathlib import Path

import safetensors.torch
import torch

from models.encoder import Encoder
from training.config import FitConfig
from training.contexts import embedded, mirrored
from training.datasets import Split, find, load
from training.maps import splits_told
from training.metric import fit_by_metric

ENCODER_FILE = "encoder.safetensors"


def build_encoder(config: FitConfig, height: int, width: int) -> Encoder:
    """The untrained encoder of a run, its weights a function of the seed."""
    torch.manual_seed(config.seed)
    assert config.encoder is not None
    data, told = find(config.data), config.encoder
    normalised = told.metric is not None
    return Encoder(data.channels, data.num_levels, height, width, told.size, told.widths, told.hidden, normalised)


def auto_encoder(config: FitConfig, data_root: Path) -> Encoder | None:
    """The untrained encoder of an auto-encoder; None for any other run."""
    if config.encoder is None or config.encoder.metric is not None:
        return None
    return build_encoder(config, *load(config.data, data_root)["train"].images.shape[2:])


def told_splits(config: FitConfig, splits: dict[str, Split], folder: Path, progress: bool = False) -> dict[str, Split]:
    """The splits with what the model of a run is told: maps; or for an encoder trained by a metric, embeddings.

    `folder`: of the run. A training of the encoder that was interrupted begins again; it takes minutes.
    """
    if config.flip:
        splits = {**splits, "train": mirrored(splits["train"])}
    if config.map is not None:
        data = find(config.data)
        conditioning = config.map.conditioning(data.channels, data.num_levels)
        return splits_told(splits, conditioning, data.num_levels)
    if config.encoder is None or config.encoder.metric is None:
        return splits
    encoder = metric_encoder(config, splits["train"], folder, progress)
    return {name: embedded(split, encoder) for name, split in splits.items()}


def metric_encoder(config: FitConfig, train: Split, folder: Path, progress: bool = False) -> Encoder:
    """Read from `folder` if it was trained before."""
    assert config.encoder is not None and config.encoder.metric is not None
    encoder, path = build_encoder(config, *train.images.shape[2:]), folder / ENCODER_FILE
    if path.exists():
        encoder.load_state_dict(safetensors.torch.load_file(path))
        return encoder.eval()
    fit_by_metric(encoder, train, config.encoder.metric, config.seed, progress)
    folder.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    safetensors.torch.save_file(encoder.state_dict(), fresh)
    fresh.replace(path)
    return encoder
