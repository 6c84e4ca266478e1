"""A sample or completion job in the engine: claim -> draw requests; rows and images -> the attempt."""

import json
import math
import threading

import numpy as np
import numpy.typing as npt

from engine.engine import Engine
from engine.request import Drawn, DrawRequest, Output, Values, values_dtype
from worker.attempt import Attempt
from worker.contexts import Vector, contexts_of
from worker.dequantise import dequantised
from worker.leases import SampleResult
from worker.loaded_model import LoadedModel
from worker.protocol import conditioning_of
from worker.receipts import receipt
from worker.scoring import density_rate, kind_and_unit, likelihood

Mask = npt.NDArray[np.bool_]


class DrawRun:
    """One attempt at drawing `n` images.

    Rows that an earlier attempt saved are fed to the engine as known pixels: the image goes on with the very bits that
    it would have had. In a masked completion they are drawn again instead, to the same bits, since what is fed would
    not count in `drawn_log_prob`. With a margin everything here is about the larger canvas; only what is told to
    clients is cut. The canvas of a chain begins with its coarse image.

    Threads that draw may hand in its images side by side, each image from one thread, while another stops it.
    """

    def __init__(self, attempt: Attempt, loaded: LoadedModel, engine: Engine) -> None:
        self.attempt, self.loaded, self.engine = attempt, loaded, engine
        claim, request = attempt.claim, attempt.claim.request
        self._request = request
        self._mask = _mask_bytes(attempt)
        self._contexts = contexts_of(request, loaded.config.conditioning, claim.embedded)
        self._saved_rows = [len(canvas) // request.row_bytes for canvas in claim.canvases]
        self._drawn_log_prob = [0.0] * request.n
        self._lock = threading.Lock()
        self._unfinished = {k for k in range(request.n) if k not in claim.finished}
        self._is_stopped = False

    def begin(self) -> None:
        """Hand all unfinished images to the engine; RequestRejected if they do not fit."""
        requests = [self._draw_request(k) for k in sorted(self._unfinished)]
        with self._lock:
            for request in [] if self._is_stopped else requests:
                self.engine.add(request)
        if not requests:
            self._succeed()

    def stop(self) -> None:
        """Take them back."""
        with self._lock:
            self._is_stopped = True
            for k in self._unfinished:
                self.engine.cancel(self._id(k))

    def take(self, output: Output) -> None:
        """A row or an image of ours, of the engine."""
        k = int(output.id.rpartition("/")[2])
        if isinstance(output, Drawn):
            self._finish(k, output)
            return
        request, is_coarse = self._request, output.stage < self.engine.stage
        row = output.row if is_coarse else request.coarse_shape[0] + output.row
        if row >= self._saved_rows[k]:
            self.attempt.add_row(k, row, output.values.tobytes().ljust(request.row_bytes, b"\0"))
        if output.row << (request.coarse_level if is_coarse else 0) >= (request.known_rows or 0):
            self._drawn_log_prob[k] += output.log_prob

    def _finish(self, k: int, drawn: Drawn) -> None:
        if not math.isfinite(drawn.log_prob):  # the pixels of an unstable density grow without bound
            self.attempt.fail("engine_failed", "the pixels outgrew float32; draw a smaller image, or `clip` them")
            return self.stop()
        self.attempt.add_result(SampleResult(k, json.dumps(self._result(k, drawn))))
        with self._lock:
            self._unfinished.discard(k)
            is_last = not self._unfinished
        if is_last:
            self._succeed()

    def _succeed(self) -> None:
        self.attempt.end("succeeded", kind_and_unit(self._request))

    def _draw_request(self, k: int) -> DrawRequest:
        request = self._request
        known, mask = self._known(k)
        return DrawRequest(
            id=self._id(k),
            group=self.attempt.claim.job_id,
            height=request.drawn_height,
            width=request.canvas_width,
            seed=request.seed,
            sample=request.sample_of(k),
            temperature=request.temperature,
            context=self._context(k),
            known=known,
            mask=mask,
            coarse=self._coarse(k),
        )

    def _context(self, k: int) -> Vector | None:
        return None if self._contexts is None else self._contexts[k if self._request.is_path else 0]

    def _known(self, k: int) -> tuple[Values | None, Mask | None]:
        """Pixels [height, width, channels] and mask [height, width] of what is fed: the client's, then saved rows."""
        request, claim, dtype = self._request, self.attempt.claim, values_dtype(self._request.num_levels)
        known: Values = np.zeros((request.drawn_height, request.canvas_width, request.channels), dtype)
        mask = np.zeros(known.shape[:2], np.bool_)
        if self._mask is not None:
            mask[:] = np.frombuffer(self._mask, np.bool_).reshape(mask.shape)
            levels = np.frombuffer(claim.uploads[0], np.uint8).reshape(known.shape)
            known[:] = dequantised(levels, request.seed, k) if request.is_density else levels
        if not request.has_mask and (rows := len(self._saved(k)[request.coarse_shape[0] :])):
            mask[:rows] = True
            known[:rows] = self._saved(k)[request.coarse_shape[0] :]
        return (known, mask) if mask.any() else (None, None)

    def _coarse(self, k: int) -> Values | None:
        """The saved rows of a chain's coarse image."""
        rows, columns = self._request.coarse_shape
        return self._saved(k)[:rows, :columns] if rows and not self._request.has_mask else None

    def _saved(self, k: int) -> Values:
        """The saved rows of a canvas, [rows, canvas width, channels]."""
        request, canvas = self._request, self.attempt.claim.canvases[k]
        shape = -1, request.canvas_width, request.channels
        return np.frombuffer(canvas, values_dtype(request.num_levels)).reshape(shape)

    def _result(self, k: int, drawn: Drawn) -> dict[str, object]:
        request = self._request
        num_dims = request.drawn_height * request.canvas_width * request.channels
        result: dict[str, object] = {"sample": k, **likelihood(request, drawn.log_prob, num_dims)}
        conditioning = None
        if self._mask is not None:
            drawn_log_prob = drawn.drawn_log_prob if request.has_mask else self._drawn_log_prob[k]
            if request.is_density:
                result["drawn_density_bits_per_pixel"] = density_rate(drawn_log_prob, self._mask.count(0))
            else:
                result["drawn_log_prob"] = drawn_log_prob
            result["conditioning"] = conditioning = conditioning_of(self._mask, request.is_chain)
        return result | {"receipt": receipt(request, k, self.engine.profile, conditioning, self._context(k))}

    def _id(self, k: int) -> str:
        return f"{self.attempt.claim.job_id}/{self.attempt.claim.attempt}/{k}"


def _mask_bytes(attempt: Attempt) -> bytes | None:
    """A completion's mask, height * width bytes, 1 = known."""
    request = attempt.claim.request
    if request.kind != "completion":
        return None
    if request.has_mask:
        return attempt.claim.mask
    known = (request.known_rows or 0) * request.width
    return b"\1" * known + b"\0" * (request.height * request.width - known)
