"""The compiled interpreter behind ctypes. A call releases the interpreter's lock for as long as it computes."""

import ctypes
import functools
import os
import weakref
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.interrupt import Interrupt
from engine.native.build import library_path
from engine.native.encode import encode
from models.program import Program

_POINTER = ctypes.c_void_p
_ERROR_SIZE = 256
# Names one set of kernels for the whole process: avx512, avx2 or portable. For tests; the fp32 sets agree to the bit.
KERNELS_VARIABLE = "SCANLINE_KERNELS"
# Weights and inputs of affine maps in bfloat16, sums in float32: other results, so never chosen unasked. "bf16" is the
# faster set of those that the processor runs; their last bits differ.
BF16_KERNELS = "bf16"
BF16_SETS = ("amx_bf16", "avx512_bf16")
# Raised with every change of the code that changes a bit of any result.
NUMERICS_VERSION = 6


class NotBuilt(RuntimeError):
    """There is no compiled interpreter; the message says how to get it."""


class NativeError(RuntimeError):
    """The compiled interpreter refused."""


class _Request(ctypes.Structure):
    _fields_ = (
        ("seed", ctypes.c_uint64),
        ("sample", ctypes.c_uint32),
        ("stage", ctypes.c_uint32),
        ("temperature", ctypes.c_double),
        ("context", _POINTER),
        ("context_map", _POINTER),
        ("known", _POINTER),
        ("mask", _POINTER),
    )


class _Results(ctypes.Structure):
    _fields_ = (
        ("rows_done", _POINTER),
        ("values", _POINTER),
        ("log_probs", _POINTER),
        ("drawn_log_probs", _POINTER),
        ("pixel_log_probs", _POINTER),
    )


@functools.cache
def load() -> ctypes.CDLL:
    """The compiled library; raises `NotBuilt`."""
    path = library_path(sanitize="SCANLINE_NATIVE_SANITIZED" in os.environ)
    if not path.exists():
        raise NotBuilt("the native interpreter is not built: python -m engine.native.build")
    library = ctypes.CDLL(str(path))
    integer, text, count = ctypes.c_int, ctypes.c_char_p, ctypes.c_int64
    signatures = {
        "scanline_program": (_POINTER, [_POINTER, count, _POINTER, count, text, text, count]),
        "scanline_free_program": (None, [_POINTER]),
        "scanline_kernels_of": (text, [_POINTER]),
        "scanline_lane": (_POINTER, [_POINTER, integer, integer, integer, _POINTER, text, count]),
        "scanline_free_lane": (None, [_POINTER]),
        "scanline_admit": (integer, [_POINTER, integer, _POINTER]),
        "scanline_clear": (None, [_POINTER, integer]),
        "scanline_run": (None, [_POINTER, integer, integer, _POINTER]),
        "scanline_fma_work": (ctypes.c_double, [text, count]),
        "scanline_pointwise": (None, [text, count, integer, integer, _POINTER, _POINTER]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class NativeProgram:
    """A program packed for the native interpreter. Read-only: any number of lanes, in any threads, share one."""

    def __init__(self, program: Program, kernels: str | None = None) -> None:
        """`kernels` names a set, or `BF16_KERNELS`; None takes the best of float32 that the processor runs. Raises
        `NotBuilt`, `NoKernel` and `NativeError`, of a set that this processor does not run."""
        library = load()
        encoded = encode(program)
        name = kernels or _kernels_for_all()
        error = ctypes.create_string_buffer(_ERROR_SIZE)
        self.handle = library.scanline_program(
            _address(encoded.words),
            encoded.words.size,
            _address(encoded.parameters),
            encoded.parameters.size,
            name.encode(),
            error,
            _ERROR_SIZE,
        )
        if not self.handle:
            raise NativeError(error.value.decode())
        weakref.finalize(self, library.scanline_free_program, self.handle)
        self.program, self.num_weights = program, encoded.parameters.size
        self.kernels: str = library.scanline_kernels_of(self.handle).decode()

    @property
    def profile(self) -> str:
        """What the last bits of a result depend on. In float32 not on the processor: all its kernels agree."""
        precision = f"bfloat16 {self.kernels}" if self.kernels in BF16_SETS else "float32"
        return f"native-{NUMERICS_VERSION} cpu {precision}"


class NativeSlots:
    """Slots for images of one size. The arrays hold what has been drawn.

    Attributes:
        rows_done: int32 [slot]. values: float32 [slot, height, width, channels].
        log_probs, drawn_log_probs: float64 [slot, height], nats of whole rows and of their pixels that were drawn.
        pixel_log_probs: float64 [slot, height, width, channels].
    """

    def __init__(self, native: NativeProgram, height: int, width: int, num_slots: int) -> None:
        self._library, self._native = load(), native
        self.rows_done = np.zeros(num_slots, np.int32)
        self.values = np.zeros((num_slots, height, width, native.program.channels), np.float32)
        self.log_probs = np.zeros((num_slots, height))
        self.drawn_log_probs = np.zeros((num_slots, height))
        self.pixel_log_probs = np.zeros(self.values.shape)
        arrays = (self.rows_done, self.values, self.log_probs, self.drawn_log_probs, self.pixel_log_probs)
        results = _Results(*(_address(array) for array in arrays))
        error = ctypes.create_string_buffer(_ERROR_SIZE)
        self._handle = self._library.scanline_lane(
            native.handle, height, width, num_slots, ctypes.addressof(results), error, _ERROR_SIZE
        )
        if not self._handle:
            raise NativeError(error.value.decode())
        weakref.finalize(self, self._library.scanline_free_lane, self._handle)

    def admit(
        self,
        slot: int,
        seed: int,
        sample: int,
        temperature: float,
        context: npt.NDArray[np.float32] | None,
        context_map: npt.NDArray[np.float32] | None,
        known: npt.NDArray[Any] | None,
        mask: npt.NDArray[np.bool_] | None,
        stage: int = 0,
    ) -> None:
        """Begin a new image in `slot`; the arrays are copied."""
        arrays = [
            None if array is None else np.ascontiguousarray(array, dtype)
            for array, dtype in (
                (context, np.float32),
                (context_map, np.float32),
                (known, np.float32),
                (mask, np.bool_),
            )
        ]
        addresses = [None if array is None else _address(array) for array in arrays]
        request = _Request(seed, sample, stage, temperature, *addresses)
        if self._library.scanline_admit(self._handle, slot, ctypes.addressof(request)):
            raise NativeError(f"no memory for slot {slot}")

    def clear(self, slot: int) -> None:
        self._library.scanline_clear(self._handle, slot)

    def run(self, max_fronts: int, max_pixels: int = 2**31 - 1, interrupt: Interrupt | None = None) -> None:
        """Advance every slot by up to `max_fronts`, until `max_pixels` of all of them are drawn.

        A front is one pixel, or as many as are independent of each other (`models.fronts`). Less when an image is
        finished or `interrupt` is set.
        """
        address = None if interrupt is None else interrupt.address
        self._library.scanline_run(self._handle, max_fronts, max_pixels, address)


def _kernels_for_all() -> str:
    """What `KERNELS_VARIABLE` names; "" for the best. It must not turn requests for float32 into others."""
    name = os.environ.get(KERNELS_VARIABLE, "")
    if name in (BF16_KERNELS, *BF16_SETS):
        raise NativeError(f"{KERNELS_VARIABLE} names float32 kernels only; bfloat16 is asked for by a request")
    return name


def _address(array: npt.NDArray[np.generic]) -> int:
    return array.ctypes.data
