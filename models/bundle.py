"""Checkpoint bundles with their weights: loaded whole or refused with a reason, written whole or not at all."""

import dataclasses
import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch

from models.base import Model, ModelError
from models.bundle_config import (
    CARD_FILE,
    CONFIG_FILE,
    WEIGHTS_FILE,
    BundleConfig,
    BundleError,
    ImageShape,
    check_config,
    read_config,
    read_file,
)
from models.conditioning import ByEmbedding
from models.encoder import Encoder
from models.registry import ARCHITECTURES
from models.strict_json import as_json

_deserialize: Callable[[bytes], list[tuple[str, dict[str, Any]]]] = safetensors.deserialize
_MAX_WEIGHTS_BYTES = 4 << 30
_ENCODER = "encoder."


@dataclass(frozen=True, slots=True)
class Bundle:
    """A loaded bundle. `model` and `encoder` are in evaluation mode, float32, on the CPU."""

    config: BundleConfig
    model: Model
    directory: Path
    encoder: Encoder | None = None


def load_bundle(directory: Path) -> Bundle:
    """The bundle in `directory`.

    The config is checked first, then the weights' hash, then names, shapes and dtypes against those of the model
    that the config describes (built without memory), and only then is the model made.

    Raises:
        BundleError: says what is wrong; nothing is ever loaded in part.
    """
    config = read_config(directory)
    content = _read_weights(directory / WEIGHTS_FILE, config.weights_sha256)
    try:
        stored = {name: (tuple(t["shape"]), t["dtype"]) for name, t in _deserialize(content)}
    except (safetensors.SafetensorError, ValueError) as error:
        raise BundleError(f"{WEIGHTS_FILE} is no safetensors file: {error}") from error
    with torch.device("meta"):
        expected = {name: tuple(t.shape) for name, t in _state(_build(config), build_encoder(config)).items()}
    _check_tensors(stored, expected)
    tensors = safetensors.torch.load(content)
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise BundleError(f"{WEIGHTS_FILE}: tensor {name} holds values that are not finite")
    model, encoder = _build(config), build_encoder(config)
    model.load_state_dict({name: t for name, t in tensors.items() if not name.startswith(_ENCODER)})
    if encoder is not None:
        encoder.load_state_dict({n.removeprefix(_ENCODER): t for n, t in tensors.items() if n.startswith(_ENCODER)})
        encoder.eval()
    return Bundle(config, model.eval(), directory, encoder)


def write_bundle(
    directory: Path,
    model: Model,
    config: BundleConfig,
    card: str,
    extras: Mapping[str, bytes] | None = None,
    encoder: Encoder | None = None,
) -> BundleConfig:
    """Write a bundle, replacing one of the same id; the config as written.

    Args:
        directory: `checkpoints/<id>`.
        config: its `weights_sha256` is filled in here, whatever it was.
        card: text of README.md.
        extras: further files by name, such as the card's pictures.
        encoder: what `config.encoder` describes.
    """
    tensors = {name: tensor.detach().float().contiguous() for name, tensor in _state(model, encoder).items()}
    weights = safetensors.torch.save(tensors)
    config = dataclasses.replace(config, weights_sha256=hashlib.sha256(weights).hexdigest())
    check_config(config)
    files = {
        **(extras or {}),
        WEIGHTS_FILE: weights,
        CONFIG_FILE: config_text(config).encode(),
        CARD_FILE: card.encode(),
    }
    _replace_folder(directory, files)
    return config


def config_text(config: BundleConfig) -> str:
    """config.json as text."""
    return json.dumps(as_json(config), indent=1, ensure_ascii=False) + "\n"


def _read_weights(path: Path, sha256: str) -> bytes:
    content = read_file(path, _MAX_WEIGHTS_BYTES)
    if (found := hashlib.sha256(content).hexdigest()) != sha256:
        raise BundleError(f"{WEIGHTS_FILE} has sha256 {found}, {CONFIG_FILE} says {sha256}: damaged or exchanged")
    return content


def _build(config: BundleConfig) -> Model:
    try:
        return ARCHITECTURES[config.architecture](**as_json(config.sizes))
    except ModelError as error:
        raise BundleError(f"{CONFIG_FILE}: sizes make no {config.architecture}: {error}") from error


def build_encoder(config: BundleConfig) -> Encoder | None:
    """The encoder that a checked config describes, untrained; None where it has none."""
    if config.encoder is None:
        return None
    assert isinstance(config.conditioning, ByEmbedding) and isinstance(config.image, ImageShape)
    return Encoder(
        config.channels,
        config.num_levels,
        config.image.height,
        config.image.width,
        config.conditioning.size,
        config.encoder.widths,
        config.encoder.hidden,
        config.conditioning.normalised,
    )


def _state(model: Model, encoder: Encoder | None) -> dict[str, torch.Tensor]:
    """All tensors of a bundle by name."""
    tensors: dict[str, torch.Tensor] = dict(model.state_dict())
    if encoder is not None:
        tensors |= {f"{_ENCODER}{name}": tensor for name, tensor in encoder.state_dict().items()}
    return tensors


def _check_tensors(stored: Mapping[str, tuple[Any, str]], expected: Mapping[str, tuple[int, ...]]) -> None:
    if missing := sorted(set(expected) - set(stored)):
        raise BundleError(f"{WEIGHTS_FILE}: tensor {missing[0]} is missing ({len(missing)} in all)")
    if surplus := sorted(set(stored) - set(expected)):
        raise BundleError(f"{WEIGHTS_FILE}: tensor {surplus[0]} belongs to no part of the model")
    for name, (shape, dtype) in sorted(stored.items()):
        if shape != expected[name]:
            raise BundleError(f"{WEIGHTS_FILE}: tensor {name} has shape {shape}, the sizes ask for {expected[name]}")
        if dtype != "F32":
            raise BundleError(f"{WEIGHTS_FILE}: tensor {name} is {dtype}, it must be F32")


def _replace_folder(directory: Path, files: Mapping[str, bytes]) -> None:
    """Put a folder of `files` in place of `directory`; a reader sees the old one, for an instant none, or the new."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=directory.parent) as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        for name, content in files.items():
            (fresh / name).write_bytes(content)
        if directory.exists():
            directory.rename(Path(scratch) / "old")
        fresh.rename(directory)
