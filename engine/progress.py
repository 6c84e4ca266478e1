"""How far an image has come, and what a finished row makes of it; for lanes whose rows come from torch."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.request import Drawn, DrawRequest, Output, RowDrawn, Values


@dataclass(slots=True)
class Progress:
    """`values` [height, width, channels] and log p of each in nats, of which `row` rows are finished; sums of those."""

    request: DrawRequest
    values: Values
    log_probs: npt.NDArray[np.float64]
    row: int = 0
    log_prob: float = 0.0
    drawn_log_prob: float = 0.0

    def finish_row(self, values: Values, log_probs: npt.NDArray[np.float64]) -> list[Output]:
        """The next row, [width, channels] both: what there is to tell of it, and of the image if that was the last."""
        self.values[self.row], self.log_probs[self.row] = values, log_probs
        log_probs = np.ascontiguousarray(log_probs)  # the order of a sum depends on how its terms lie
        row_log_prob = float(log_probs.sum())
        self.log_prob += row_log_prob
        mask = self.request.mask
        self.drawn_log_prob += row_log_prob if mask is None else float(log_probs[~mask[self.row]].sum())
        outputs: list[Output] = [RowDrawn(self.request.id, self.row, values.copy(), row_log_prob)]
        self.row += 1
        if self.row == len(self.values):
            outputs.append(Drawn(self.request.id, self.values, self.log_probs, self.log_prob, self.drawn_log_prob))
        return outputs
