"""Images of one size drawn side by side by the native interpreter, each wherever it stands."""

from dataclasses import dataclass

from engine.interrupt import Interrupt
from engine.lane import Take
from engine.native.library import NativeProgram, NativeSlots
from engine.request import Drawn, DrawRequest, Output, RowDrawn, values_dtype
from engine.slots import Slots

# A step takes about 3 ms: long beside a call from Python, which costs about as much as a pixel, and short beside what a
# person waits for. Of 15 layers x 64, with 1.3 million weights, that is 16 pixels of 8 images.
WEIGHTS_A_STEP = 160_000_000
# The time of a very small net is not that of its weights.
MAX_FRONTS_A_STEP = 64
# A patient step takes about 25 ms: less than a flush of rows to the store waits for anyway.
PATIENCE = 8


@dataclass(slots=True)
class _Slot:
    request: DrawRequest
    row: int = 0
    log_prob: float = 0.0
    drawn_log_prob: float = 0.0


class NativeLane(Slots[_Slot]):
    """The slots of one size. A request may join at any step, whatever pixel the others have reached."""

    def __init__(self, native: NativeProgram, height: int, width: int, num_slots: int) -> None:
        super().__init__(num_slots)
        self._height = height
        self._dtype = values_dtype(native.program.num_levels)
        self._native = NativeSlots(native, height, width, num_slots)
        self._pixels_a_step = max(1, WEIGHTS_A_STEP // max(1, native.num_weights))

    def step(self, take: Take, interrupt: Interrupt | None = None) -> list[Output]:
        """Several fronts of every slot; with an `interrupt` many. Empty slots `take` waiting requests first."""
        for index, slot in enumerate(self._slots):
            if slot is None and (request := take()) is not None:
                self._admit(index, request)
        if not self.busy:
            return []
        patience = 1 if interrupt is None else PATIENCE
        self._native.run(patience * MAX_FRONTS_A_STEP, patience * self._pixels_a_step, interrupt)
        outputs: list[Output] = []
        for index, slot in enumerate(self._slots):
            if slot is not None:
                outputs += self._finished(index, slot)
        return outputs

    def _emptied(self, index: int) -> None:
        self._native.clear(index)

    def _admit(self, index: int, request: DrawRequest) -> None:
        self._native.admit(
            index,
            request.seed,
            request.sample,
            request.temperature,
            request.context,
            request.context_map,
            request.known,
            request.mask,
            request.stage,
        )
        self._slots[index] = _Slot(request)

    def _finished(self, index: int, slot: _Slot) -> list[Output]:
        """The rows that the slot has finished since it was last asked, and its image."""
        native, outputs = self._native, list[Output]()
        for row in range(slot.row, int(native.rows_done[index])):
            log_prob = float(native.log_probs[index, row])
            slot.log_prob += log_prob
            slot.drawn_log_prob += float(native.drawn_log_probs[index, row])
            outputs.append(RowDrawn(slot.request.id, row, native.values[index, row].astype(self._dtype), log_prob))
            slot.row += 1
        if slot.row == self._height:
            self._slots[index] = None
            values, log_probs = native.values[index].astype(self._dtype), native.pixel_log_probs[index].copy()
            outputs.append(Drawn(slot.request.id, values, log_probs, slot.log_prob, slot.drawn_log_prob))
        return outputs
