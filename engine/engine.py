"""The engine: requests in, rows and images out. No clock, no thread, no input or output of its own."""

import logging
import sys
from typing import Literal

import torch

from engine.front_lane import FrontLane
from engine.interrupt import Interrupt
from engine.lane import Lane
from engine.lanes import AnyLane, Lanes
from engine.native.encode import NoKernel
from engine.native.library import BF16_KERNELS, NativeProgram, NotBuilt
from engine.native_lane import NativeLane
from engine.request import DrawRequest, Output
from engine.request_check import check_request
from engine.scheduler import Scheduler
from engine.torch_fronts import TorchFronts
from engine.torch_interpreter import TorchInterpreter
from models.fronts import front_slope
from models.program import Program

log = logging.getLogger(__name__)

# Raised with every change of the code that changes a bit of what torch draws.
NUMERICS_VERSION = 4

Interpreter = Literal["auto", "native", "native-bf16", "torch"]


class Engine:
    """Draws images from one program: in each of `num_threads` threads, `num_slots` of each size at a time.

    A result is bitwise the same alone, in any company, in any slot and thread, and after a resume (its finished rows
    given as known pixels), within one numeric `profile`. All threads share the weights and one list of waiting
    requests. Everything but `step` may be called from any thread.

    Args:
        interpreter: "auto" takes the native one for float32 on the processor, where it is built and knows every word
            of the program, and torch otherwise. "native-bf16" rounds weights and inputs to bfloat16: about twice as
            fast on processors with such units, and other images.
        num_threads: how many threads will call `step`. The torch interpreter has one, whatever is asked for.
    """

    stage = 0
    """Which image of a chain this draws; see `engine.chain`."""

    def __init__(
        self,
        program: Program,
        num_slots: int = 8,
        device: str = "cpu",
        dtype: torch.dtype = torch.float32,
        interpreter: Interpreter = "auto",
        num_threads: int = 1,
    ) -> None:
        self.program, self._device, self._dtype = program, device, dtype
        is_native = device == "cpu" and dtype == torch.float32 and interpreter != "torch"
        self._native = _native(program, interpreter) if is_native else None
        self.num_slots, self.num_threads = num_slots, 1 if self._native is None else num_threads
        self._scheduler = Scheduler()
        self._lanes = [Lanes(thread, self._scheduler, self._lane) for thread in range(self.num_threads)]

    @property
    def busy(self) -> bool:
        return self.num_waiting > 0 or self.num_running() > 0

    @property
    def has_free_slots(self) -> bool:
        """Whether a thread could begin another image at once."""
        return self.num_running() < self.num_slots * self.num_threads

    @property
    def num_waiting(self) -> int:
        return self._scheduler.num_waiting

    def num_running(self, thread: int | None = None) -> int:
        """Images in the slots of one thread, or of all."""
        return self._scheduler.num_running(thread)

    @property
    def profile(self) -> str:
        """What the last bits of a result depend on: interpreter, its version, the processor's kind, precision."""
        if self._native is not None:
            return self._native.profile
        if self._device == "cpu":
            return torch_profile(self._dtype)
        # Where the number of rows decides how a product is computed.
        kind = f"{torch.cuda.get_device_name()}, {self.num_slots} slots,"
        return _profile(self._device, kind, self._dtype)

    def add(self, request: DrawRequest) -> None:
        """Queue a request; `RequestRejected` if it does not fit the program."""
        check_request(self.program, request)
        self._scheduler.add(request)

    def cancel(self, request_id: str) -> None:
        """Forget a request, waiting or running; unknown ones are none. A step under way may still tell of it."""
        self._scheduler.cancel(request_id)

    def step(self, thread: int = 0, room: int = sys.maxsize, interrupt: Interrupt | None = None) -> list[Output]:
        """Advance every slot of a thread by a pixel or a few; returns the rows and images that this finished.

        Args:
            thread: 0 .. num_threads - 1; each is stepped by one thread at a time.
            room: how many waiting requests may be taken into empty slots before.
            interrupt: nothing else waits for this thread: it may draw on for about 25 ms, until an image is done or
                this is set.
        """
        return self._lanes[thread].step(room, interrupt)

    def _lane(self, height: int, width: int) -> AnyLane:
        if self._native is not None:
            return NativeLane(self._native, height, width, self.num_slots)
        size = height, width, self.num_slots, self._device, self._dtype
        if front_slope(self.program) is not None:
            return FrontLane(TorchFronts(self.program, *size))
        return Lane(TorchInterpreter(self.program, *size))


def torch_profile(dtype: torch.dtype = torch.float32) -> str:
    """The numeric profile of what torch computes on the processor: its interpreter, and the parallel pass."""
    return _profile("cpu", torch.backends.cpu.get_cpu_capability(), dtype)


def _profile(device: str, kind: str, dtype: torch.dtype) -> str:
    return f"torch-{torch.__version__}-{NUMERICS_VERSION} {device} {kind} {str(dtype).removeprefix('torch.')}"


def _native(program: Program, interpreter: Interpreter) -> NativeProgram | None:
    """The program for the native interpreter; None where torch must run it."""
    try:
        return NativeProgram(program, BF16_KERNELS if interpreter == "native-bf16" else None)
    except (NotBuilt, NoKernel) as reason:
        if interpreter != "auto":
            raise
        log.warning("torch runs this program, many times slower than the native interpreter would: %s", reason)
        return None
