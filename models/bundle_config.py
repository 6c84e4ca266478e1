"""config.json of a checkpoint bundle: what it may hold, and the checks that need no tensor (and no torch).

    checkpoints/<id>/model.safetensors   the weights, float32, under the names of the model's state dict
                     config.json         this file
                     README.md           the model card; pictures may lie beside it

A folder whose name begins with a dot is a bundle that is still being written.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from models.sizes import SIZES, Architecture, GatedPixelCNNSizes, Sizes, faults
from models.strict_json import FieldError, parse

FORMAT = 1
WEIGHTS_FILE, CONFIG_FILE, CARD_FILE = "model.safetensors", "config.json", "README.md"
NUM_QUANTILES = 101
_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MAX_CONFIG_BYTES = 1 << 20


class BundleError(ValueError):
    """A bundle that is not loaded; the message says what is wrong and what would be right."""


@dataclass(frozen=True, slots=True)
class ImageShape:
    """Rows and columns of an image."""

    height: int
    width: int


@dataclass(frozen=True, slots=True)
class Unconditional:
    kind: Literal["none"]


@dataclass(frozen=True, slots=True)
class ByClass:
    """The context is a one-hot class; `names` in the order of its places."""

    kind: Literal["class"]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """Where the weights come from. `hours` are wall-clock hours; `images_seen` counts repetitions."""

    data: str
    license: str
    seed: int
    steps: int
    images_seen: int
    hours: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over test images with its standard error."""

    mean: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class ClassifierFacts:
    """How often a classifier, trained on real images, names samples as they were asked for (shares, 0 to 1)."""

    accuracy_on_test: float
    share_as_asked: float
    num_samples: int


@dataclass(frozen=True, slots=True)
class Baselines:
    """What other codes need for the same test images, in bits a dimension.

    `histogram`: independent sub-pixels, each with the distribution it has in the training set, add-one smoothed.
    `png`: whole PNG files.
    """

    histogram: Estimate
    png: Estimate


@dataclass(frozen=True, slots=True)
class EvaluationFacts:
    """Likelihood of test images. `score_quantiles`: 0 %, 1 %, … 100 % of log_prob in nats an image, increasing."""

    data: str
    num_images: int
    log_prob_nats: Estimate
    bits_per_dim: Estimate
    score_quantiles: tuple[float, ...]
    classifier: ClassifierFacts | None = None
    baselines: Baselines | None = None


@dataclass(frozen=True, slots=True)
class BundleConfig:
    """All of config.json."""

    format: int
    id: str
    architecture: Architecture
    sizes: Sizes
    image: ImageShape | Literal["any"]
    channels: int
    num_levels: int
    head: Literal["bernoulli", "categorical", "mcgsm"]
    conditioning: Unconditional | ByClass
    weights_sha256: str
    training: TrainingFacts
    evaluation: EvaluationFacts


def read_config(directory: Path) -> BundleConfig:
    """config.json of the bundle in `directory`, checked in itself and against the folder's name; or BundleError."""
    try:
        content = (directory / CONFIG_FILE).read_bytes()
        if len(content) > _MAX_CONFIG_BYTES:
            raise BundleError(f"{CONFIG_FILE} has {len(content)} bytes, more than {_MAX_CONFIG_BYTES}")
        document = json.loads(content)
        config = parse(BundleConfig, document, types={"sizes": _sizes_type(document)})
    except OSError as error:
        raise BundleError(f"{CONFIG_FILE} cannot be read: {error.strerror}") from error
    except (FieldError, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BundleError(f"{CONFIG_FILE}: {error}") from error
    check_config(config)
    if config.id != directory.resolve().name:
        raise BundleError(f"id {config.id!r} must be the name of the folder, {directory.resolve().name!r}")
    return config


def _sizes_type(document: object) -> type:
    """The dataclass of `sizes`; any, where `parse` is going to refuse the architecture before it looks at them."""
    architecture = document.get("architecture") if isinstance(document, dict) else None
    return SIZES.get(str(architecture), GatedPixelCNNSizes)


def check_config(config: BundleConfig) -> None:
    """Raise BundleError where fields are out of range or contradict each other."""
    _require(config.format == FORMAT, f"format must be {FORMAT}, not {config.format}")
    _require(
        _ID.fullmatch(config.id) is not None,
        f"id must be 1 to 64 of a-z, 0-9 and '-', not begin with '-'; it is {config.id[:80]!r}",
    )
    _require(_SHA256.fullmatch(config.weights_sha256) is not None, "weights_sha256 must be 64 hexadecimal digits")
    _require(type(config.sizes) is SIZES[config.architecture], f"sizes are not those of a {config.architecture}")
    for fault in faults(config.sizes):
        raise BundleError(f"{CONFIG_FILE}: {fault}")
    for name in ("channels", "num_levels"):
        mine, its = getattr(config, name), getattr(config.sizes, name)
        _require(mine == its, f"{name} is {mine} but sizes.{name} is {its}; they must be equal")
    head = {0: "mcgsm", 2: "bernoulli"}.get(config.num_levels, "categorical")
    _require(config.head == head, f"head must be {head!r} for num_levels {config.num_levels}, not {config.head!r}")
    if isinstance(config.image, ImageShape):
        _check_range("image.height", config.image.height, 1, 4096)
        _check_range("image.width", config.image.width, 1, 4096)
    _check_conditioning(config)
    _check_evaluation(config.evaluation)


def _check_conditioning(config: BundleConfig) -> None:
    names = config.conditioning.names if isinstance(config.conditioning, ByClass) else ()
    if isinstance(config.conditioning, ByClass):
        _require(len(names) > 0, "conditioning.names must name the classes; without classes kind is 'none'")
    _require(all(names) and len(set(names)) == len(names), "conditioning.names must be different and not empty")
    _require(
        len(names) == config.sizes.num_classes,
        f"conditioning has {len(names)} classes but sizes.num_classes is {config.sizes.num_classes}; "
        "they must be equal",
    )


def _check_evaluation(facts: EvaluationFacts) -> None:
    quantiles = facts.score_quantiles
    _require(
        len(quantiles) == NUM_QUANTILES and list(quantiles) == sorted(quantiles),
        f"evaluation.score_quantiles must be {NUM_QUANTILES} numbers in increasing order",
    )
    _require(facts.num_images > 0, "evaluation.num_images must be positive")


def _check_range(name: str, value: int, low: int, high: int) -> None:
    _require(low <= value <= high, f"{name} must be {low} to {high}, not {value}")


def _require(fulfilled: bool, message: str) -> None:
    if not fulfilled:
        raise BundleError(f"{CONFIG_FILE}: {message}")
