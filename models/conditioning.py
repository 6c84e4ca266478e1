"""What a bundle's images may be conditioned on, as config.json says it; no torch here.

The context is one vector an image, as long as `sizes.num_classes`, whatever the places of it mean; or a map, as large
as `sizes.given_map` says.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from models.sizes import GivenMapSizes

MAX_EMBEDDING = 4096
MAX_MAP_NUMBERS = 1 << 24


@dataclass(frozen=True, slots=True)
class Unconditional:
    kind: Literal["none"]


@dataclass(frozen=True, slots=True)
class ByClass:
    """The context is a one-hot class; `names` in the order of its places."""

    kind: Literal["class"]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ByTags:
    """The context is 1 at every tag that the image has, 0 elsewhere; `names` in the order of its places."""

    kind: Literal["tags"]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ByEmbedding:
    """The context is a vector of `size` numbers; `normalised`: of length 1, so that its direction is all it says."""

    kind: Literal["embedding"]
    size: int
    normalised: bool


@dataclass(frozen=True, slots=True)
class ByMap:
    """The context is a map, of ceil(H / 2^level) x ceil(W / 2^level) places for an image of H x W pixels.

    `what`: an image, of `channels` channels of `num_levels` levels; or labels, one of `num_levels` at every place,
    which `names` names in the order of their levels. The numbers told of it: `models.given_map`.
    """

    kind: Literal["map"]
    what: Literal["image", "labels"]
    level: int
    channels: int
    num_levels: int
    names: tuple[str, ...] | None = None

    @property
    def num_numbers(self) -> int:
        """How many numbers the model is told of a place."""
        return self.channels if self.what == "image" else self.num_levels

    def shape(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of the map of an image."""
        return -(-height >> self.level), -(-width >> self.level)


Conditioning = Unconditional | ByClass | ByTags | ByEmbedding | ByMap


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """The rest of what `models.encoder.Encoder` takes: images and vectors are those that the bundle's model takes."""

    widths: tuple[int, ...]
    hidden: int


def context_size(conditioning: Conditioning) -> int:
    """Length of the context vector; 0 for a model that takes none."""
    match conditioning:
        case ByClass() | ByTags():
            return len(conditioning.names)
        case ByEmbedding():
            return conditioning.size
        case Unconditional() | ByMap():
            return 0


def conditioning_faults(
    conditioning: Conditioning,
    num_classes: int,
    given_map: GivenMapSizes | None,
    encoder: EncoderSizes | None,
    any_size: bool,
) -> Iterator[str]:
    """What is wrong with them, one sentence each. `any_size`: images of any size are drawn."""
    if isinstance(conditioning, ByClass | ByTags):
        names = conditioning.names
        if not names:
            yield f"conditioning.names must name the {_PLACES[conditioning.kind]}; without any, kind is 'none'"
        if not all(names) or len(set(names)) != len(names):
            yield "conditioning.names must be different and not empty"
    if isinstance(conditioning, ByEmbedding) and not 1 <= conditioning.size <= MAX_EMBEDDING:
        yield f"conditioning.size must be 1 to {MAX_EMBEDDING}, not {conditioning.size}"
    if (size := context_size(conditioning)) != num_classes:
        places = _PLACES[conditioning.kind]
        yield f"conditioning has {size} {places} but sizes.num_classes is {num_classes}; they must be equal"
    yield from _map_faults(conditioning, given_map)
    if encoder is not None:
        yield from _encoder_faults(conditioning, encoder, any_size)


_PLACES = {"none": "classes", "class": "classes", "tags": "tags", "embedding": "numbers", "map": "numbers"}


def _map_faults(conditioning: Conditioning, given_map: GivenMapSizes | None) -> Iterator[str]:
    if not isinstance(conditioning, ByMap) or given_map is None:
        if isinstance(conditioning, ByMap) or given_map is not None:
            yield "a conditioning of kind 'map' and sizes.given_map come together"
        return
    if conditioning.level != given_map.level:
        yield f"conditioning.level is {conditioning.level} but sizes.given_map.level is {given_map.level}"
    if not 2 <= conditioning.num_levels <= 256:
        yield f"conditioning.num_levels must be 2 to 256, not {conditioning.num_levels}"
    if conditioning.channels not in ((1, 3) if conditioning.what == "image" else (1,)):
        yield f"conditioning.channels must be 1, or for an image 3, not {conditioning.channels}"
    if (numbers := conditioning.num_numbers) != given_map.channels:
        yield f"conditioning tells {numbers} numbers of a place but sizes.given_map.channels is {given_map.channels}"
    names, wanted = conditioning.names or (), conditioning.num_levels if conditioning.what == "labels" else 0
    if len(names) != wanted or len(set(names)) != len(names) or not all(names):
        yield f"conditioning.names must be {wanted} different names that are not empty: of labels, one each"


def _encoder_faults(conditioning: Conditioning, encoder: EncoderSizes, any_size: bool) -> Iterator[str]:
    if not isinstance(conditioning, ByEmbedding):
        yield f"an encoder needs a conditioning of kind 'embedding', not {conditioning.kind!r}"
    if any_size:
        yield "an encoder needs images of one size, so image cannot be 'any'"
    if not 1 <= len(encoder.widths) <= 8 or not all(1 <= width <= 1024 for width in encoder.widths):
        yield "encoder.widths must be 1 to 8 numbers from 1 to 1024"
    if not 1 <= encoder.hidden <= 4096:
        yield f"encoder.hidden must be 1 to 4096, not {encoder.hidden}"


def encoder_faults(encoder: EncoderSizes, height: int, width: int) -> Iterator[str]:
    """Checked before anything is allocated: a bundle may come from anywhere, and its first maps fill the memory."""
    for depth, maps in enumerate(encoder.widths, 1):
        size = maps * -(-height >> depth) * -(-width >> depth)
        if size > MAX_MAP_NUMBERS:
            yield f"encoder.widths[{depth - 1}] makes {size} numbers of an image, more than {MAX_MAP_NUMBERS}"
