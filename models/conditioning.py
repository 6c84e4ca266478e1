"""What a bundle's images may be conditioned on, as config.json says it; no torch here.

In every case the context is one vector an image, as long as `sizes.num_classes`, whatever the places of it mean.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

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


Conditioning = Unconditional | ByClass | ByTags | ByEmbedding


@dataclass(frozen=True, slots=True)
class EncoderSizes:
    """The rest of what `models.encoder.Encoder` takes: images and vectors are those that the bundle's model takes."""

    widths: tuple[int, ...]
    hidden: int


def context_size(conditioning: Conditioning) -> int:
    """Length of the context vector; 0 for an unconditional model."""
    match conditioning:
        case ByClass() | ByTags():
            return len(conditioning.names)
        case ByEmbedding():
            return conditioning.size
        case Unconditional():
            return 0


def conditioning_faults(
    conditioning: Conditioning, num_classes: int, encoder: EncoderSizes | None, any_size: bool
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
    if encoder is not None:
        yield from _encoder_faults(conditioning, encoder, any_size)


_PLACES = {"none": "classes", "class": "classes", "tags": "tags", "embedding": "numbers"}


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
