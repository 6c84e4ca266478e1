"""The engine: requests in, rows and images out. No clock, no thread, no input or output of its own."""

import logging
from typing import Literal

import numpy as np
import torch

from engine.lane import Lane
from engine.native.encode import NoKernel
from engine.native.library import BF16_KERNELS, NativeProgram, NotBuilt
from engine.native_lane import NativeLane
from engine.request import DrawRequest, Output, RequestRejected
from engine.scheduler import Scheduler
from engine.torch_interpreter import TorchInterpreter
from models.program import Program

log = logging.getLogger(__name__)

Interpreter = Literal["auto", "native", "native-bf16", "torch"]


class Engine:
    """Draws images from one program, `num_slots` of each size at a time.

    A result is bitwise the same alone, in any company, in any slot and after a resume (its finished rows given as
    known pixels), within one numeric `profile`.

    Args:
        interpreter: "auto" takes the native one for float32 on the processor, where it is built and knows every word
            of the program, and torch otherwise. "native-bf16" rounds weights and inputs to bfloat16: twice as fast on
            processors with such units, and other images.
    """

    def __init__(
        self,
        program: Program,
        num_slots: int = 8,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        interpreter: Interpreter = "torch",
    ) -> None:
        self._program, self._num_slots, self._device, self._dtype = program, num_slots, device, dtype
        self._context_size = sum(f.width for f in program.features if f.scope == "given_vector")
        self._map_size = sum(f.width for f in program.features if f.scope == "given_map")
        self._waiting = Scheduler()
        self._lanes: dict[tuple[int, int], Lane | NativeLane] = {}
        is_native = device == "cpu" and dtype == torch.float32 and interpreter != "torch"
        self._native = _native(program, interpreter) if is_native else None

    @property
    def busy(self) -> bool:
        return bool(len(self._waiting)) or any(lane.busy for lane in self._lanes.values())

    @property
    def profile(self) -> str:
        """What the last bits of a result depend on: interpreter, its version, the processor's kind, precision."""
        if self._native is not None:
            return self._native.profile
        kind = torch.backends.cpu.get_cpu_capability() if self._device == "cpu" else torch.cuda.get_device_name()
        return f"torch-{torch.__version__} {self._device} {kind} {str(self._dtype).removeprefix('torch.')}"

    def add(self, request: DrawRequest) -> None:
        """Queue a request; `RequestRejected` if it does not fit the program."""
        self._check(request)
        self._waiting.add(request)

    def cancel(self, request_id: str) -> None:
        """Forget a request, waiting or running; unknown ones are none."""
        if not self._waiting.remove(request_id):
            any(lane.cancel(request_id) for lane in self._lanes.values())

    def step(self) -> list[Output]:
        """Advance every slot by a pixel or a few; returns the rows and images that this finished."""
        self._open_lanes()
        outputs: list[Output] = []
        for (height, width), lane in list(self._lanes.items()):
            outputs += lane.step(
                lambda h=height, w=width: self._waiting.take(lambda r: (r.height, r.width) == (h, w))  # type: ignore[misc]
            )
        return outputs

    def _open_lanes(self) -> None:
        """A lane for every size that waits; idle lanes of other sizes give their memory back."""
        wanted = {(request.height, request.width) for request in self._waiting}
        for size in wanted - self._lanes.keys():
            for idle in [s for s, lane in self._lanes.items() if not lane.busy and s not in wanted]:
                del self._lanes[idle]
            self._lanes[size] = self._lane(*size)

    def _lane(self, height: int, width: int) -> Lane | NativeLane:
        if self._native is not None:
            return NativeLane(self._native, height, width, self._num_slots)
        return Lane(TorchInterpreter(self._program, height, width, self._num_slots, self._device, self._dtype))

    def _check(self, request: DrawRequest) -> None:
        if request.height < 1 or request.width < 1:
            raise RequestRejected(f"an image has at least one pixel, not {request.height} x {request.width}")
        if not 0 < request.temperature < float("inf"):
            raise RequestRejected(f"temperature must be a positive number, not {request.temperature}")
        if self._program.is_density and request.temperature != 1:
            raise RequestRejected("a density is drawn at temperature 1 only")
        if not 0 <= request.seed < 2**64 or not 0 <= request.sample < 2**32:
            raise RequestRejected("seed must be 0..2^64-1 and sample 0..2^32-1")
        size = 0 if request.context is None else request.context.size
        if size != self._context_size:
            raise RequestRejected(f"the context must hold {self._context_size} numbers, not {size}")
        map_shape = (request.height, request.width, self._map_size) if self._map_size else None
        if (None if request.context_map is None else request.context_map.shape) != map_shape:
            raise RequestRejected(f"the context map must have the shape {map_shape}")
        if (request.known is None) != (request.mask is None):
            raise RequestRejected("known pixels and their mask come together")
        shape = (request.height, request.width, self._program.channels)
        if request.known is not None and request.mask is not None:
            if request.known.shape != shape or request.mask.shape != shape[:2]:
                raise RequestRejected(f"known pixels must be {shape} and their mask {shape[:2]}")
            if self._program.is_density:
                if request.known.dtype != np.float32 or not np.isfinite(request.known[request.mask]).all():
                    raise RequestRejected("known pixels of a density must be finite float32 numbers")
            elif request.known.max() >= self._program.num_levels:
                raise RequestRejected(f"levels must be below {self._program.num_levels}")


def _native(program: Program, interpreter: Interpreter) -> NativeProgram | None:
    """The program for the native interpreter; None where torch must run it."""
    try:
        return NativeProgram(program, BF16_KERNELS if interpreter == "native-bf16" else None)
    except (NotBuilt, NoKernel) as reason:
        if interpreter != "auto":
            raise
        log.warning("torch runs this program, many times slower than the native interpreter would: %s", reason)
        return None
