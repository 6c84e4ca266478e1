"""A sample or completion job in the engine: claim -> draw requests; rows and images -> the attempt."""

import math

from engine.engine import Engine
from engine.request import Drawn, Output
from worker.attempt import Attempt
from worker.image_run import ImageRun
from worker.loaded_model import LoadedModel
from worker.protocol import conditioning_of
from worker.receipts import receipt
from worker.scoring import density_rate, likelihood


class DrawRun(ImageRun):
    """One attempt at drawing `n` images.

    Rows that an earlier attempt saved are fed to the engine as known pixels: the image goes on with the very bits that
    it would have had. In a masked completion they are drawn again instead, to the same bits, since what is fed would
    not count in `drawn_log_prob`. With a margin everything here is about the larger canvas; only what is told to
    clients is cut. The canvas of a chain begins with its coarse image.
    """

    def __init__(self, attempt: Attempt, loaded: LoadedModel, engine: Engine) -> None:
        super().__init__(attempt, loaded, engine)
        self._saved_rows = [len(self._requests.saved(k)) for k in range(self._request.n)]
        self._drawn_log_prob = [0.0] * self._request.n

    def _begin(self, k: int) -> None:
        self._ask(self._requests.fresh(k) if self._request.has_mask else self._requests.resumed(k))

    def _take(self, k: int, output: Output) -> None:
        if isinstance(output, Drawn):
            if math.isfinite(output.log_prob):
                self._finish(k, self._result(k, output))
            else:  # the pixels of an unstable density grow without bound
                self._fail("the pixels outgrew float32; draw a smaller image, or `clip` them")
            return
        request, is_coarse = self._request, output.stage < self.engine.stage
        row = output.row if is_coarse else request.coarse_shape[0] + output.row
        if row >= self._saved_rows[k]:
            self.attempt.add_row(k, row, output.values.tobytes().ljust(request.row_bytes, b"\0"))
        if output.row << (request.coarse_level if is_coarse else 0) >= (request.known_rows or 0):
            self._drawn_log_prob[k] += output.log_prob

    def _result(self, k: int, drawn: Drawn) -> dict[str, object]:
        request, mask = self._request, self._requests.mask
        num_dims = request.drawn_height * request.canvas_width * request.channels
        result: dict[str, object] = likelihood(request, drawn.log_prob, num_dims)
        conditioning = None
        if mask is not None:
            drawn_log_prob = drawn.drawn_log_prob if request.has_mask else self._drawn_log_prob[k]
            if request.is_density:
                result["drawn_density_bits_per_pixel"] = density_rate(drawn_log_prob, mask.count(0))
            else:
                result["drawn_log_prob"] = drawn_log_prob
            result["conditioning"] = conditioning = conditioning_of(mask, request.is_chain)
        told = receipt(request, k, self.engine.profile, conditioning, self._requests.context(k))
        return result | {"receipt": told}
