"""What a training run is: a TOML file of `training/configs/`, read strictly."""

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.sizes import DENSITIES, Architecture
from models.strict_json import parse
from training.encoder_config import EncoderConfig
from training.maps import MapConfig, map_faults


class ConfigError(ValueError):
    """A run configuration that cannot be used."""


@dataclass(frozen=True, slots=True)
class FitConfig:
    """One run.

    Attributes:
        id: name of the bundle and of the folder in `runs/`.
        data: a name known to `training.datasets`.
        conditional: the model is told the class of every image or its tags, as `data` knows them, or what `encoder`
            or `map` makes of it.
        sizes: constructor arguments of the model besides channels, levels and classes.
        seed: of the weights, the order of images and dropout.
        batch_size: images a step.
        max_steps: optimiser steps; the cosine ends here.
        architecture: a name known to `models.registry`.
        learning_rate: its peak, after `warmup_steps` of linear rise.
        ema_decay: of the averaged weights that are validated and shipped.
        validate_every: steps between validations on the first `num_validation` validation images.
        checkpoint_every: steps between checkpoints; what lies after the last one is lost to a kill and done again.
        patience: validations without an improvement after which the run stops.
        num_validation: images of the validation split used while training.
        bf16: autocast of the network to bfloat16 where the processor has units for it; the loss stays in float32.
        compile: let torch.compile (needs a C++ compiler) speed up the step.
        crop: side of the square crops that a density is trained on; 0 for a model of levels, which sees whole images.
        flip: mirror half of the crops left to right; of whole images, see mirrored ones too.
        shift: move each image by up to so many pixels, see `training.batches`; for few images, placed not quite alike.
        encoder: what makes of an image the vector that the model is told; the table `[encoder]`, `[encoder.metric]`.
        map: what the model is told in place of a vector, a map of every image; the table `[map]`.
        context_dropout: share of the training images of which the model is told nothing: zeros. Of tags, so
            many are left out of the others' vectors, too, so that an image may have more than is asked for.
        compare: ids of runs on the same data that a density's bundle is measured against; their configs lie beside it.
        coarse_run: id of a run on the coarse images, whose net a chain is shipped with; then its other net alone is
            fitted. Small images are cheap, so that the first may see many more. Its config lies beside.
        start_run: id of a run whose weights this one begins with: of the same net on other images, say, or of one that
            is told less; see `training.start`. Its config lies beside.
        limits: known limits of the finished model, one a line, for its card.
    """

    id: str
    data: str
    conditional: bool
    sizes: dict[str, Any]
    seed: int
    batch_size: int
    max_steps: int
    learning_rate: float
    architecture: Architecture = "gated_pixelcnn"
    warmup_steps: int = 200
    ema_decay: float = 0.9995
    validate_every: int = 1_000
    checkpoint_every: int = 250
    patience: int = 8
    num_validation: int = 2_000
    bf16: bool = True
    compile: bool = True
    crop: int = 0
    flip: bool = False
    shift: int = 0
    encoder: EncoderConfig | None = None
    map: MapConfig | None = None
    context_dropout: float = 0.0
    compare: tuple[str, ...] = ()
    coarse_run: str = ""
    start_run: str = ""
    limits: str = ""


def read_fit_config(path: Path) -> FitConfig:
    """Parse and check a TOML file; ConfigError names the field that is wrong."""
    try:
        # The model's constructor checks the sizes.
        config = parse(FitConfig, tomllib.loads(path.read_text()), types={"sizes": dict})
    except (OSError, ValueError) as error:  # of the file, of its text, of TOML, of a field
        raise ConfigError(f"{path}: {error}") from error
    for name in (
        "batch_size",
        "max_steps",
        "learning_rate",
        "validate_every",
        "checkpoint_every",
        "patience",
        "num_validation",
    ):
        if getattr(config, name) <= 0:
            raise ConfigError(f"{path}: {name} must be positive")
    if (config.crop > 0) != (config.architecture in DENSITIES):
        raise ConfigError(f"{path}: crop must be positive for a density, and only for one")
    if config.coarse_run and config.architecture != "multi_scale":
        raise ConfigError(f"{path}: only a multi_scale model has a coarse_run")
    if config.coarse_run and (config.encoder or config.map):
        raise ConfigError(f"{path}: a chain with a coarse_run is told classes, no encoder's vector and no map")
    if config.start_run and (config.crop or config.encoder or config.map):
        raise ConfigError(f"{path}: start_run is for a model of levels that is told classes, tags or nothing")
    if config.compare and not config.crop:
        raise ConfigError(f"{path}: only a density is compared with other runs")
    if config.crop and config.bf16:
        raise ConfigError(f"{path}: a density is trained in float32: bf16 must be false")
    if not config.conditional and (config.encoder or config.map or config.context_dropout):
        raise ConfigError(f"{path}: an encoder, a map and context_dropout are for a model that is conditional")
    if config.shift < 0 or (config.shift and (config.crop or config.encoder or config.map)):
        raise ConfigError(f"{path}: shift is 0 or more, and 0 for crops, with an encoder and with a map")
    if config.encoder and config.map:
        raise ConfigError(f"{path}: a model is told what an encoder makes of an image, or a map, not both")
    for fault in map_faults(config.map) if config.map else ():
        raise ConfigError(f"{path}: {fault}")
    if not 0 <= config.context_dropout < 1:
        raise ConfigError(f"{path}: context_dropout must be in [0, 1)")
    if not 0 <= config.ema_decay < 1:
        raise ConfigError(f"{path}: ema_decay must be in [0, 1)")
    return config
