"""IDX files of unsigned bytes: the format of MNIST, and of every image set that is kept here."""

import struct

import numpy as np

from training.fetch import DataError


def read_idx(content: bytes) -> np.ndarray:
    """An IDX file of unsigned bytes as an array; DataError if its size is not what its header says."""
    num_dims = content[3] if len(content) > 3 and content[:3] == b"\x00\x00\x08" else 0
    if not num_dims or len(content) < 4 + 4 * num_dims:
        raise DataError("not an IDX file of unsigned bytes")
    shape = struct.unpack(f">{num_dims}I", content[4 : 4 + 4 * num_dims])
    values = np.frombuffer(content, np.uint8, offset=4 + 4 * num_dims)
    if values.size != int(np.prod(shape)):
        raise DataError(f"an IDX file of shape {shape} holds {values.size} values")
    return values.reshape(shape)


def write_idx(array: np.ndarray) -> bytes:
    """The inverse of `read_idx`."""
    return b"\x00\x00\x08" + bytes([array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()
