"""Images of one size that torch draws a front at a time, each wherever it stands."""

from dataclasses import dataclass

import numpy as np

from engine.draws import Draws
from engine.fronts import Block
from engine.interrupt import Interrupt
from engine.lane import Take
from engine.philox import uniforms
from engine.progress import Progress
from engine.request import Output, values_dtype
from engine.slots import Slots
from engine.torch_fronts import TorchFronts

# What a step prepares at once. More fronts save calls of numpy, and let who waits for a slot wait longer.
MAX_FRONTS_A_STEP = 16
PIXELS_A_STEP = 2048


@dataclass(slots=True)
class _Slot(Progress):
    front: int = 0


class FrontLane(Slots[_Slot]):
    """The slots of one interpreter. A request may join at any step, whatever front the others have reached."""

    def __init__(self, interpreter: TorchFronts) -> None:
        super().__init__(interpreter.num_slots)
        self._interpreter, self._fronts = interpreter, interpreter.fronts

    def step(self, take: Take, _: Interrupt | None = None) -> list[Output]:
        """Several fronts of every slot; empty slots `take` waiting requests first."""
        for index, slot in enumerate(self._slots):
            if slot is None and (request := take()) is not None:
                shape = (request.height, request.width, self._interpreter.program.channels)
                values = np.zeros(shape, values_dtype(self._interpreter.program.num_levels))
                self._slots[index] = _Slot(request, values, np.zeros(shape))
                self._interpreter.admit(index, request.context, request.context_map)
        running = {index: slot for index, slot in enumerate(self._slots) if slot is not None}
        if not running:
            return []
        left = max(self._fronts.num_fronts - slot.front for slot in running.values())
        pixels_a_front = len(running) * (1 + self._fronts.width // self._fronts.slope)
        num_fronts = min(MAX_FRONTS_A_STEP, left, max(1, PIXELS_A_STEP // pixels_a_front))
        block = self._fronts.block([(index, slot.front) for index, slot in running.items()], num_fronts)
        draws = self._draws(block, running)
        self._interpreter.draw(block, draws)
        outputs: list[Output] = []
        for index, slot in running.items():
            slot.front += num_fronts
            outputs += self._keep(index, slot, block, draws)
        return outputs

    def _emptied(self, index: int) -> None:
        """Nothing is left to do: what the next image reads it writes first."""

    def _draws(self, block: Block, running: dict[int, _Slot]) -> Draws:
        shape, program = block.rows.shape, self._interpreter.program
        seeds, samples, stages = (np.zeros(shape, np.uint64) for _ in range(3))
        draws = Draws.empty(shape, program, self._interpreter.num_numbers)
        for index, slot in running.items():
            own, request = block.of_slot(index), slot.request
            seeds[own], samples[own], stages[own] = request.seed, request.sample, request.stage
            draws.temperature[own] = request.temperature
            if request.mask is not None and request.known is not None:
                where = block.rows[own], block.columns[own]
                draws.known[own], draws.is_known[own] = request.known[where], request.mask[where]
        pixels = np.maximum(block.rows, 0) * self._fronts.width + block.columns
        which = np.arange(draws.numbers[0, 0].size, dtype=np.uint64)
        numbers = uniforms(
            seeds[..., None], samples[..., None], pixels.astype(np.uint64)[..., None], which, stages[..., None]
        )
        draws.numbers[...] = numbers.reshape(draws.numbers.shape)
        return draws

    def _keep(self, index: int, slot: _Slot, block: Block, draws: Draws) -> list[Output]:
        """The pixels that were drawn, and what there is to tell of rows that are finished."""
        own = block.of_slot(index)
        where = block.rows[own], block.columns[own]
        slot.values[where], slot.log_probs[where] = draws.values[own], draws.log_probs[own]
        outputs: list[Output] = []
        while slot.row < self._fronts.num_rows_done(slot.front):
            outputs += slot.finish_row(slot.values[slot.row], slot.log_probs[slot.row])
        if slot.row == self._fronts.height:
            self._slots[index] = None
        return outputs
