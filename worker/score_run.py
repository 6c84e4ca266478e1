"""A score job: images through the parallel pass, in pieces short enough to take turns with drawing."""

import json
import threading
import time

import numpy as np
import numpy.typing as npt
import torch

from engine.engine import torch_profile
from worker.attempt import Attempt
from worker.contexts import contexts_of
from worker.leases import SampleResult
from worker.loaded_model import LoadedModel
from worker.receipts import receipt
from worker.score_question import DensityQuestion, LevelsQuestion, Maps, Variant
from worker.scoring import kind_and_unit

PIECE_S = 0.05
MAX_BATCH = 64

Piece = list[tuple[int, Variant]]
"""Which images, in which variant each."""


class ScoreRun:
    """One attempt at scoring `n` images, each in every variant of the question.

    Images that an earlier attempt finished are not scored again. Threads may score pieces of it side by side.
    """

    def __init__(self, attempt: Attempt, loaded: LoadedModel) -> None:
        self.attempt, self.loaded = attempt, loaded
        self._request = request = attempt.claim.request
        self._contexts = contexts_of(request, loaded.config.conditioning, attempt.claim.embedded, attempt.claim.uploads)
        self._question: LevelsQuestion | DensityQuestion = (
            DensityQuestion(request, loaded.config)
            if request.is_density
            else LevelsQuestion(request, loaded.config, self._contexts)
        )
        if not self._question.variants:
            raise ValueError(f"{request.model} has no classes to score under")
        todo = [k for k in range(request.n) if k not in attempt.claim.finished]
        self._lock = threading.Lock()
        self._todo: Piece = [(k, variant) for k in todo for variant in self._question.variants]
        self._num_left = len(self._todo)
        self._maps: dict[int, dict[Variant, npt.NDArray[np.float32]]] = {}
        self._end_if_finished()

    @property
    def has_pieces(self) -> bool:
        """Whether anything is left to be taken."""
        return bool(self._todo)

    def take_piece(self) -> Piece:
        """What will take up to `PIECE_S` to score; empty when all is taken.

        Pieces are of even size: the images of a small last one would take longer each.
        """
        with self._lock:
            num_pieces = -(-len(self._todo) // self._piece_size()) or 1
            size = -(-len(self._todo) // num_pieces)
            piece, self._todo = self._todo[:size], self._todo[size:]
        return piece

    def score(self, piece: Piece) -> None:
        """Score what was taken."""
        started = time.perf_counter()
        maps = self._log_prob_maps(piece)
        pixels = len(piece) * self._request.height * self._request.width
        self.loaded.seconds_per_scored_pixel = (time.perf_counter() - started) / pixels
        for (k, variant), score_map in zip(piece, maps, strict=True):
            if complete := self._collect(k, variant, score_map):
                self._finish_image(k, np.stack([complete[variant] for variant in self._question.variants]))
        with self._lock:
            self._num_left -= len(piece)
        self._end_if_finished()

    def _collect(
        self, k: int, variant: Variant, score_map: npt.NDArray[np.float32]
    ) -> dict[Variant, npt.NDArray[np.float32]] | None:
        """The maps of an image in all variants, once the last has come."""
        with self._lock:
            collected = self._maps.setdefault(k, {})
            collected[variant] = score_map
            return self._maps.pop(k) if len(collected) == len(self._question.variants) else None

    def _end_if_finished(self) -> None:
        if not self._num_left:
            self.attempt.end("succeeded", kind_and_unit(self._request))

    def _piece_size(self) -> int:
        if self.loaded.seconds_per_scored_pixel is None:
            return 1
        seconds = self.loaded.seconds_per_scored_pixel * self._request.height * self._request.width
        return max(1, min(MAX_BATCH, int(PIECE_S / seconds)))

    def _log_prob_maps(self, piece: Piece) -> Maps:
        """Nats [pair, height, width, channels]."""
        request, uploads = self._request, self.attempt.claim.uploads
        shape = (request.height, request.width, request.channels)
        images = [
            self._question.pixels(np.frombuffer(uploads[k], np.uint8).reshape(shape), variant) for k, variant in piece
        ]
        x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
        contexts = [vector for _, variant in piece if (vector := self._question.context(variant)) is not None]
        with torch.inference_mode():
            maps = self.loaded.model.log_prob_map(x, torch.from_numpy(np.stack(contexts)) if contexts else None)
        return maps.permute(0, 2, 3, 1).float().numpy()

    def _finish_image(self, k: int, maps: Maps) -> None:
        if not np.isfinite(maps).all():  # of a strange model, or numbers that it never saw
            self.attempt.fail("engine_failed", "the score is no finite number: it outgrew float32")
            return
        answer, kept = self._question.answer(maps)
        # Whatever the engine draws with, scores come from torch.
        context = None if self._contexts is None or len(self._contexts) > 1 else self._contexts[0]
        told = receipt(self._request, k, torch_profile(), context=context)
        result = {"sample": k, **answer, "receipt": told}
        score_map = kept.astype("<f4").tobytes() if self._request.per_pixel else b""
        pixels = self._request.height * self._request.width
        self.attempt.add_result(SampleResult(k, json.dumps(result), pixels, score_map))
