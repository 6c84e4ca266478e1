"""From a request's condition to the numbers that a model takes."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from models.conditioning import ByEmbedding, ByMap, ByTags, Conditioning, context_size
from models.given_map import numbers_of
from worker.protocol import JobRequest

Vector = npt.NDArray[np.float32]
"""[size]; or the numbers of a map [row, column, number]."""
# A vector this near to length 1 is taken as it is: what a receipt says is used again to the last bit.
UNIT_TOLERANCE = 1e-5


class ConditionError(ValueError):
    """A condition of which no vector can be made."""


def one_hot(index: int, size: int) -> Vector:
    """The context of a class: float32 [size], 1 at `index`."""
    context = np.zeros(size, np.float32)
    context[index] = 1.0
    return context


def contexts_of(
    request: JobRequest, conditioning: Conditioning, embedded: bytes | None, uploads: Sequence[bytes] = ()
) -> Vector | None:
    """Context vectors of a job, float32 [row, size]: one row for all its images, or a row each; or the one map that all
    its images are told, float32 [1, row, column, number].

    A path from one condition to another has a row a step, a score under every class a row a class. None where there is
    no condition.

    Args:
        embedded: the vectors of the condition's images, in the order of `condition_images`, float32 little-endian.
        uploads: of the job, among which is the map of a condition that has one.
    """
    condition = request.condition
    if condition is None:
        return None
    if condition.get("each"):
        return np.eye(context_size(conditioning), dtype=np.float32)
    if isinstance(conditioning, ByMap):
        levels = np.frombuffer(uploads[condition["map"]["upload"]], np.uint8)
        return _numbers(levels, conditioning, *conditioning.shape(request.height, request.width))[np.newaxis]
    vectors = iter(np.frombuffer(embedded or b"", "<f4").reshape(-1, max(1, context_size(conditioning))))
    if path := condition.get("interpolate"):
        first, last = (_vector(path[end], conditioning, vectors) for end in ("from", "to"))
        return _path(first, last, path["steps"], conditioning)
    return _vector(condition, conditioning, vectors)[np.newaxis]


def _numbers(levels: npt.NDArray[np.uint8], conditioning: ByMap, rows: int, columns: int) -> Vector:
    """The numbers [row, column, number] of a map's levels, row-major, channel last."""
    maps = torch.from_numpy(levels.reshape(1, rows, columns, conditioning.channels).copy()).movedim(-1, 1)
    numbers: Vector = numbers_of(maps, conditioning)[0].movedim(0, -1).contiguous().numpy()
    return numbers


def condition_images(condition: dict[str, Any] | None) -> list[dict[str, Any]]:
    """What a condition says of the images in it that an encoder must embed: `upload`, their place among the job's
    uploads, and facts of the file."""
    if condition is None:
        return []
    path = condition.get("interpolate")
    parts = [condition] if path is None else [path["from"], path["to"]]
    return [part["image"] for part in parts if "image" in part]


def _vector(condition: dict[str, Any], conditioning: Conditioning, embedded: Iterator[Vector]) -> Vector:
    if "class" in condition:
        return one_hot(condition["class"], context_size(conditioning))
    if "tags" in condition:
        assert isinstance(conditioning, ByTags)
        return np.array([name in condition["tags"] for name in conditioning.names], np.float32)
    if "image" in condition:
        return next(embedded)
    return _fitted(np.array(condition["embedding"], np.float64), conditioning)


def _path(first: Vector, last: Vector, steps: int, conditioning: Conditioning) -> Vector:
    """Straight from one vector to the other, both included; of length 1 all along, where that is what they are."""
    shares = np.linspace(0.0, 1.0, steps)
    middle = [_fitted((1 - share) * first + share * last, conditioning) for share in shares[1:-1]]
    return np.stack([first, *middle, last])


def _fitted(vector: npt.NDArray[np.float64], conditioning: Conditioning) -> Vector:
    """In float32, and of length 1 for a conditioning that is normalised."""
    length = float(np.linalg.norm(vector))
    if isinstance(conditioning, ByEmbedding) and conditioning.normalised and abs(length - 1) > UNIT_TOLERANCE:
        if length < UNIT_TOLERANCE:
            raise ConditionError("a vector of zeros has no direction: an embedding, or the middle of a path, is zero")
        vector = vector / length
    return vector.astype(np.float32)
