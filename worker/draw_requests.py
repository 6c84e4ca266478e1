"""What a job asks the engine for, image by image."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from engine.request import DrawRequest, Values, told, values_dtype
from models.conditioning import Conditioning
from worker.contexts import Vector, contexts_of
from worker.dequantise import dequantised
from worker.leases import Claim

Mask = npt.NDArray[np.bool_]


class DrawRequests:
    """The requests of one attempt. With a margin they are about the larger canvas.

    Attributes:
        mask: of a completion, height * width bytes, 1 = known; None of samples.
    """

    def __init__(self, claim: Claim, conditioning: Conditioning) -> None:
        self._claim, self._request = claim, claim.request
        self._contexts = contexts_of(claim.request, conditioning, claim.embedded, claim.uploads)
        self.mask = _mask_bytes(claim)

    def id(self, k: int) -> str:
        """Of image k in the engine."""
        return f"{self._claim.job_id}/{self._claim.attempt}/{k}"

    def context(self, k: int) -> Vector | None:
        """What image k is told."""
        return None if self._contexts is None else self._contexts[k if self._request.is_path else 0]

    def fresh(self, k: int) -> DrawRequest:
        """Image k, from the beginning; the client's pixels are known."""
        request = self._request
        known, mask = self._known(k)
        return DrawRequest(
            id=self.id(k),
            group=self._claim.job_id,
            height=request.drawn_height,
            width=request.canvas_width,
            seed=request.seed,
            sample=request.sample_of(k),
            temperature=request.temperature,
            **told(self.context(k)),
            known=known if mask.any() else None,
            mask=mask if mask.any() else None,
        )

    def resumed(self, k: int) -> DrawRequest:
        """Image k; rows that an earlier attempt saved are known, too, and those of a chain's coarse image."""
        coarse_rows, coarse_columns = self._request.coarse_shape
        saved = self.saved(k)
        coarse, rows = saved[:coarse_rows, :coarse_columns], saved[coarse_rows:]
        request = replace(self.fresh(k), coarse=coarse if coarse_rows else None)
        if not len(rows):
            return request
        known, mask = self._known(k)
        known[: len(rows)], mask[: len(rows)] = rows, True
        return replace(request, known=known, mask=mask)

    def saved(self, k: int) -> Values:
        """What an earlier attempt saved of canvas k, [rows, canvas width, channels]."""
        request = self._request
        shape = -1, request.canvas_width, request.channels
        return np.frombuffer(self._claim.canvases[k], values_dtype(request.num_levels)).reshape(shape)

    def _known(self, k: int) -> tuple[Values, Mask]:
        """The client's pixels, [height, width, channels], and where they are kept, [height, width]."""
        request = self._request
        shape = request.drawn_height, request.canvas_width, request.channels
        known: Values = np.zeros(shape, values_dtype(request.num_levels))
        mask = np.zeros(shape[:2], np.bool_)
        if self.mask is not None:
            mask[:] = np.frombuffer(self.mask, np.bool_).reshape(mask.shape)
            levels = np.frombuffer(self._claim.uploads[0], np.uint8).reshape(shape)
            known[:] = dequantised(levels, request.seed, k) if request.is_density else levels
        return known, mask


def _mask_bytes(claim: Claim) -> bytes | None:
    request = claim.request
    if request.kind != "completion":
        return None
    if request.has_mask:
        return claim.mask
    known = (request.known_rows or 0) * request.width
    return b"\1" * known + b"\0" * (request.height * request.width - known)
