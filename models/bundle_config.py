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
from stat import S_ISREG
from typing import Literal

from models.conditioning import Conditioning, EncoderSizes, conditioning_faults, encoder_faults
from models.facts import NUM_QUANTILES, DensityFacts, EvaluationFacts, TrainingFacts
from models.sizes import DENSITIES, SIZES, Architecture, GatedPixelCNNSizes, Sizes, faults
from models.strict_json import parse

FORMAT = 1
WEIGHTS_FILE, CONFIG_FILE, CARD_FILE = "model.safetensors", "config.json", "README.md"
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
class DensityPixels:
    """What the pixels of a density stand for.

    `dequantisation`: "uniform" is a byte 0..255 plus noise uniform on [0, 1). `low`, `high`: the 0.1 and 99.8
    percentiles of the training pixels, between which the authors of RIDE clip what they draw.
    """

    dequantisation: Literal["uniform"]
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class BundleConfig:
    """All of config.json; `pixels` belongs to a density, and to nothing else."""

    format: int
    id: str
    architecture: Architecture
    sizes: Sizes
    image: ImageShape | Literal["any"]
    channels: int
    num_levels: int
    head: Literal["bernoulli", "categorical", "mcgsm"]
    conditioning: Conditioning
    weights_sha256: str
    training: TrainingFacts
    evaluation: EvaluationFacts | DensityFacts
    pixels: DensityPixels | None = None
    encoder: EncoderSizes | None = None


def read_config(directory: Path) -> BundleConfig:
    """config.json of the bundle in `directory`, checked in itself and against the folder's name; or BundleError."""
    content = read_file(directory / CONFIG_FILE, _MAX_CONFIG_BYTES)
    try:
        document = json.loads(content)
        config = parse(BundleConfig, document, types=_types(document))
    except (ValueError, RecursionError) as error:  # of JSON, of text, of a number of thousands of digits, of a field
        raise BundleError(f"{CONFIG_FILE}: {error}") from error
    check_config(config)
    if config.id != directory.resolve().name:
        raise BundleError(f"id {config.id!r} must be the name of the folder, {directory.resolve().name!r}")
    return config


def read_file(path: Path, max_bytes: int) -> bytes:
    """A file of a bundle; BundleError where it is too large, or none that could be read to its end."""
    try:
        stat = path.stat()
        if not S_ISREG(stat.st_mode):  # of a pipe or a device there may be no end
            raise BundleError(f"{path.name} is no regular file")
        if stat.st_size > max_bytes:
            raise BundleError(f"{path.name} has {stat.st_size} bytes, more than {max_bytes}")
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path.name} cannot be read: {error.strerror}") from error


def _types(document: object) -> dict[str, type]:
    """What `sizes` and `evaluation` are; any, where `parse` is going to refuse the architecture before it looks."""
    architecture = str(document.get("architecture")) if isinstance(document, dict) else ""
    evaluation = DensityFacts if architecture in DENSITIES else EvaluationFacts
    return {"sizes": SIZES.get(architecture, GatedPixelCNNSizes), "evaluation": evaluation}


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
    any_size = not isinstance(config.image, ImageShape)
    given_map = config.sizes.given_map if isinstance(config.sizes, GatedPixelCNNSizes) else None
    for fault in conditioning_faults(
        config.conditioning, config.sizes.num_classes, given_map, config.encoder, any_size
    ):
        raise BundleError(f"{CONFIG_FILE}: {fault}")
    if config.encoder is not None and isinstance(config.image, ImageShape):
        for fault in encoder_faults(config.encoder, config.image.height, config.image.width):
            raise BundleError(f"{CONFIG_FILE}: {fault}")
    _check_pixels(config)
    _check_evaluation(config.evaluation)


def _check_pixels(config: BundleConfig) -> None:
    is_density = config.num_levels == 0
    _require((config.pixels is not None) == is_density, "a density has pixels, and nothing else has")
    _require(isinstance(config.evaluation, DensityFacts) == is_density, "evaluation is not that of this architecture")
    if config.pixels is not None:
        _require(0 <= config.pixels.low < config.pixels.high <= 256, "pixels.low and .high must rise within 0 to 256")


def _check_evaluation(facts: EvaluationFacts | DensityFacts) -> None:
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
