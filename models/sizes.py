"""The sizes of every architecture: constructor arguments as `config.json` keeps them; no torch here.

The bounds keep the first look at an untrusted bundle cheap; the models themselves check the finer rules.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import ClassVar, Literal


@dataclass(frozen=True, slots=True)
class ConvolutionalSizes:
    """What the constructors of both convolutional networks take."""

    channels: int
    num_levels: int
    width: int
    dilations: tuple[int, ...]
    first_kernel: int
    kernel: int
    head_width: int
    num_classes: int
    dropout: float


@dataclass(frozen=True, slots=True)
class GivenMapSizes:
    """A map that a model is told: `channels` numbers at each of ceil(H / 2^level) x ceil(W / 2^level) places.

    `width`, `kernel`: of the deconvolutions that make a vector for every pixel of it, `models.context_map.ContextMap`.
    """

    channels: int
    level: int
    width: int
    kernel: int

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the map of an image."""
        return -(-height >> self.level), -(-width >> self.level)


@dataclass(frozen=True, slots=True)
class GatedPixelCNNSizes(ConvolutionalSizes):
    """Constructor arguments of `models.gated_pixelcnn.GatedPixelCNN`."""

    given_map: GivenMapSizes | None = None


@dataclass(frozen=True, slots=True)
class PixelCNNSizes(ConvolutionalSizes):
    """Constructor arguments of `models.pixel_cnn.PixelCNN`."""

    digits: bool = False
    direct: bool = False


@dataclass(frozen=True, slots=True)
class RecurrentSizes:
    """Constructor arguments of `models.recurrent.RecurrentPixelRNN`."""

    channels: int
    num_levels: int
    width: int
    num_layers: int
    first_kernel: int
    head_width: int
    num_classes: int
    dropout: float
    residual: bool
    skip: bool
    digits: bool = False
    direct: bool = False


class RowLSTMSizes(RecurrentSizes):
    """Constructor arguments of `models.row_lstm.RowLSTM`."""


class DiagonalBiLSTMSizes(RecurrentSizes):
    """Constructor arguments of `models.diagonal_bilstm.DiagonalBiLSTM`."""


@dataclass(frozen=True, slots=True)
class PixelCNNNet:
    """A PixelCNN as a net of a `MultiScaleSizes`, which says what is not said here."""

    kind: Literal["pixel_cnn"]
    width: int
    dilations: tuple[int, ...]
    first_kernel: int
    kernel: int
    head_width: int
    dropout: float
    digits: bool = False
    direct: bool = False


@dataclass(frozen=True, slots=True)
class RowLSTMNet:
    """A Row LSTM, likewise."""

    kind: Literal["row_lstm"]
    width: int
    num_layers: int
    first_kernel: int
    head_width: int
    dropout: float
    residual: bool
    skip: bool
    digits: bool = False
    direct: bool = False


@dataclass(frozen=True, slots=True)
class DiagonalBiLSTMNet:
    """A Diagonal BiLSTM, likewise."""

    kind: Literal["diagonal_bilstm"]
    width: int
    num_layers: int
    first_kernel: int
    head_width: int
    dropout: float
    residual: bool
    skip: bool
    digits: bool = False
    direct: bool = False


Net = PixelCNNNet | RowLSTMNet | DiagonalBiLSTMNet


@dataclass(frozen=True, slots=True)
class MultiScaleSizes:
    """Constructor arguments of `models.multi_scale.MultiScale`."""

    channels: int
    num_levels: int
    num_classes: int
    level: int
    map_width: int
    map_kernel: int
    small: Net
    large: Net
    map_digits: bool = False
    map_cells: bool = False


@dataclass(frozen=True, slots=True)
class MCGSMSizes:
    """Constructor arguments of `models.mcgsm.MCGSM`, a density of grey images."""

    channels: ClassVar = 1
    num_levels: ClassVar = 0
    num_classes: ClassVar = 0
    dropout: ClassVar = 0.0
    neighbourhood: int
    num_components: int
    num_scales: int
    num_features: int


@dataclass(frozen=True, slots=True)
class RIDESizes:
    """Constructor arguments of `models.ride.RIDE`, a density of grey images."""

    channels: ClassVar = 1
    num_levels: ClassVar = 0
    num_classes: ClassVar = 0
    dropout: ClassVar = 0.0
    width: int
    num_layers: int
    neighbourhood: int
    num_components: int
    num_scales: int
    num_features: int


Sizes = (
    GatedPixelCNNSizes | PixelCNNSizes | RowLSTMSizes | DiagonalBiLSTMSizes | MultiScaleSizes | MCGSMSizes | RIDESizes
)
Architecture = Literal["gated_pixelcnn", "pixel_cnn", "row_lstm", "diagonal_bilstm", "multi_scale", "mcgsm", "ride"]
SIZES: Mapping[str, type[Sizes]] = {
    "gated_pixelcnn": GatedPixelCNNSizes,
    "pixel_cnn": PixelCNNSizes,
    "row_lstm": RowLSTMSizes,
    "diagonal_bilstm": DiagonalBiLSTMSizes,
    "multi_scale": MultiScaleSizes,
    "mcgsm": MCGSMSizes,
    "ride": RIDESizes,
}
"""By the name of the architecture."""
DENSITIES = ("mcgsm", "ride")
"""Architectures whose pixels are real numbers; all others draw levels."""

_BOUNDS = {
    "num_levels": (2, 256),
    "width": (1, 1024),
    "head_width": (1, 4096),
    "first_kernel": (3, 31),
    "kernel": (3, 31),
    "num_classes": (0, 100_000),
    "num_layers": (1, 128),
    "level": (1, 4),
    "map_width": (1, 1024),
    "map_kernel": (3, 31),
    "neighbourhood": (3, 31),
    "num_components": (1, 4096),
    "num_scales": (1, 64),
    "num_features": (1, 4096),
}
_MAP_BOUNDS = {"channels": (1, 256), "level": (0, 4), "width": (1, 1024), "kernel": (3, 31)}
_MAX_DILATIONS = 127
_MAX_DILATION = 256
# Numbers that are held beside an image for what its dilated kernels reach: 128 MB in float64. A file of 8 MB could ask
# for 20 GB; the shipped nets hold up to 9,000.
_MAX_BESIDE = 1 << 24
_MAX_GATES = 1 << 14  # of an MCGSM, components times scales; the likelihood holds them for 1024 pixels at once


def faults(sizes: Sizes) -> Iterator[str]:
    """What is out of range, one sentence each."""
    if sizes.channels not in (1, 3):
        yield f"sizes.channels must be 1 or 3, not {sizes.channels}"
    yield from _net_faults(sizes, "sizes")
    if isinstance(sizes, GatedPixelCNNSizes) and sizes.given_map is not None:
        yield from _map_faults(sizes.given_map, sizes.num_classes)
    if isinstance(sizes, MultiScaleSizes):
        yield from _net_faults(sizes.small, "sizes.small")
        yield from _net_faults(sizes.large, "sizes.large")


def _net_faults(sizes: Sizes | Net, path: str) -> Iterator[str]:
    dropout, dilations = getattr(sizes, "dropout", 0.0), getattr(sizes, "dilations", ())
    if not 0 <= dropout < 1:
        yield f"{path}.dropout must be in [0, 1), not {dropout}"
    for name in (f.name for f in fields(sizes) if f.name in _BOUNDS):
        yield from _outside(f"{path}.{name}", getattr(sizes, name), *_BOUNDS[name])
    yield from _outside(f"number of {path}.dilations", len(dilations), 0, _MAX_DILATIONS)
    for dilation in dilations:
        yield from _outside(f"each of {path}.dilations", dilation, 1, _MAX_DILATION)
    if isinstance(sizes, ConvolutionalSizes | PixelCNNNet) and (beside := _beside(sizes)) > _MAX_BESIDE:
        yield f"{path}.dilations reach over {beside} numbers beside an image, more than {_MAX_BESIDE}"
    if isinstance(sizes, MCGSMSizes | RIDESizes) and (gates := sizes.num_components * sizes.num_scales) > _MAX_GATES:
        yield f"{path}.num_components times num_scales is {gates}, more than {_MAX_GATES}"


def _beside(sizes: ConvolutionalSizes | PixelCNNNet) -> int:
    """Each layer reads `reach` rows above a pixel, and as many columns on either side of it."""
    reaches = [sizes.kernel // 2 * dilation for dilation in sizes.dilations]
    return sum(2 * reach**2 * sizes.width for reach in reaches)


def _map_faults(sizes: GivenMapSizes, num_classes: int) -> Iterator[str]:
    for name, bounds in _MAP_BOUNDS.items():
        yield from _outside(f"sizes.given_map.{name}", getattr(sizes, name), *bounds)
    if num_classes:
        yield f"sizes.num_classes must be 0, not {num_classes}: the model is told a map"


def _outside(name: str, value: int, low: int, high: int) -> Iterator[str]:
    if not low <= value <= high:
        yield f"{name} must be {low} to {high}, not {value}"
