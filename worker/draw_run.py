"""A sample or completion job in the engine: claim -> draw requests; rows and images -> the attempt."""

import json
import threading

import numpy as np
import numpy.typing as npt

from engine.engine import Engine
from engine.request import Drawn, DrawRequest, Levels, Output
from worker.attempt import Attempt
from worker.contexts import one_hot
from worker.leases import SampleResult
from worker.loaded_model import LoadedModel
from worker.protocol import conditioning_of
from worker.receipts import receipt
from worker.scoring import bits_per_dim

Mask = npt.NDArray[np.bool_]


class DrawRun:
    """One attempt at drawing `n` images.

    Rows that an earlier attempt saved are fed to the engine as known pixels: the image goes on with the very bits that
    it would have had. In a masked completion they are drawn again instead, to the same bits, since what is fed would
    not count in `drawn_log_prob`.

    Threads that draw may hand in its images side by side, each image from one thread, while another stops it.
    """

    def __init__(self, attempt: Attempt, loaded: LoadedModel, engine: Engine) -> None:
        self.attempt, self.loaded, self.engine = attempt, loaded, engine
        claim, request = attempt.claim, attempt.claim.request
        self._request = request
        self._mask = _mask_bytes(attempt)
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
        if output.row >= self._saved_rows[k]:
            self.attempt.add_row(k, output.row, output.values.tobytes())
        if output.row >= (self._request.known_rows or 0):
            self._drawn_log_prob[k] += output.log_prob

    def _finish(self, k: int, drawn: Drawn) -> None:
        self.attempt.add_result(SampleResult(k, json.dumps(self._result(k, drawn))))
        with self._lock:
            self._unfinished.discard(k)
            is_last = not self._unfinished
        if is_last:
            self._succeed()

    def _succeed(self) -> None:
        self.attempt.end("succeeded", {"unit": "nats", "kind": "exact"})

    def _draw_request(self, k: int) -> DrawRequest:
        request = self._request
        known, mask = self._known(k)
        context = None
        if request.condition is not None:
            context = one_hot(request.condition["class"], self.loaded.model.context_size)
        return DrawRequest(
            id=self._id(k),
            group=self.attempt.claim.job_id,
            height=request.height,
            width=request.width,
            seed=request.seed,
            sample=k,
            temperature=request.temperature,
            context=context,
            known=known,
            mask=mask,
        )

    def _known(self, k: int) -> tuple[Levels | None, Mask | None]:
        """Levels [height, width, channels] and mask [height, width] of what is fed: the client's, then saved rows."""
        request, claim = self._request, self.attempt.claim
        known = np.zeros((request.height, request.width, request.channels), np.uint8)
        mask = np.zeros((request.height, request.width), np.bool_)
        if self._mask is not None:
            mask[:] = np.frombuffer(self._mask, np.bool_).reshape(mask.shape)
            known[:] = np.frombuffer(claim.uploads[0], np.uint8).reshape(known.shape)
        if not request.has_mask and (rows := self._saved_rows[k]):
            mask[:rows] = True
            known[:rows] = np.frombuffer(claim.canvases[k], np.uint8).reshape(rows, *known.shape[1:])
        return (known, mask) if mask.any() else (None, None)

    def _result(self, k: int, drawn: Drawn) -> dict[str, object]:
        request = self._request
        result: dict[str, object] = {"sample": k, "log_prob": drawn.log_prob, "unit": "nats", "kind": "exact"}
        result["bits_per_dim"] = bits_per_dim(drawn.log_prob, request.image_bytes)
        conditioning = None
        if self._mask is not None:
            result["drawn_log_prob"] = drawn.drawn_log_prob if request.has_mask else self._drawn_log_prob[k]
            result["conditioning"] = conditioning = conditioning_of(self._mask)
        return result | {"receipt": receipt(request, k, self.engine.profile, conditioning)}

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
