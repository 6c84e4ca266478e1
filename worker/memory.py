"""A lack of memory, which may pass: whose other work is done, somebody else may have the room."""

import torch

from models.bundle_config import BundleError


class NotEnoughMemory(BundleError):
    """A bundle that cannot be loaded or tested at present, whatever is in it."""


def is_lack_of_memory(error: Exception) -> bool:
    """Of Python, of torch on a GPU, or of torch on the CPU, which has no type for it but names its allocator."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or "DefaultCPUAllocator" in str(error)
