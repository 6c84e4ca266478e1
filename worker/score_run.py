"""A score job: images through the parallel pass, in pieces short enough to take turns with drawing."""

import json
import threading
import time
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from engine.engine import torch_profile
from models.bundle_config import ByClass
from worker import scoring
from worker.attempt import Attempt
from worker.contexts import one_hot
from worker.leases import SampleResult
from worker.loaded_model import LoadedModel
from worker.receipts import receipt

PIECE_S = 0.05
MAX_BATCH = 64

Piece = list[tuple[int, int | None]]
"""Which images, under which class each."""


class ScoreRun:
    """One attempt at scoring `n` images, each under one class, no class, or every class in turn.

    Images that an earlier attempt finished are not scored again. Threads may score pieces of it side by side.
    """

    def __init__(self, attempt: Attempt, loaded: LoadedModel) -> None:
        self.attempt, self.loaded = attempt, loaded
        self._request = attempt.claim.request
        self._is_each = bool((self._request.condition or {}).get("each"))
        self._classes = self._classes_of_condition()
        if not self._classes:
            raise ValueError(f"{self._request.model} has no classes to score under")
        todo = [k for k in range(self._request.n) if k not in attempt.claim.finished]
        self._lock = threading.Lock()
        self._todo: Piece = [(k, c) for k in todo for c in self._classes]
        self._num_left = len(self._todo)
        self._maps: dict[int, dict[int | None, npt.NDArray[np.float32]]] = {}
        self._end_if_finished()

    @property
    def has_pieces(self) -> bool:
        """Whether anything is left to be taken."""
        return bool(self._todo)

    def take_piece(self) -> Piece:
        """What will take about `PIECE_S` to score; empty when all is taken."""
        with self._lock:
            size = self._piece_size()
            piece, self._todo = self._todo[:size], self._todo[size:]
        return piece

    def score(self, piece: Piece) -> None:
        """Score what was taken."""
        started = time.perf_counter()
        maps = self._log_prob_maps(piece)
        pixels = len(piece) * self._request.height * self._request.width
        self.loaded.seconds_per_scored_pixel = (time.perf_counter() - started) / pixels
        for (k, c), score_map in zip(piece, maps, strict=True):
            if complete := self._collect(k, c, score_map):
                self._finish_image(k, np.stack([complete[c] for c in self._classes]))
        with self._lock:
            self._num_left -= len(piece)
        self._end_if_finished()

    def _collect(
        self, k: int, c: int | None, score_map: npt.NDArray[np.float32]
    ) -> dict[int | None, npt.NDArray[np.float32]] | None:
        """The maps of an image under all classes, once the last has come."""
        with self._lock:
            collected = self._maps.setdefault(k, {})
            collected[c] = score_map
            return self._maps.pop(k) if len(collected) == len(self._classes) else None

    def _end_if_finished(self) -> None:
        if not self._num_left:
            self.attempt.end("succeeded", {"unit": "nats", "kind": "exact"})

    def _piece_size(self) -> int:
        if self.loaded.seconds_per_scored_pixel is None:
            return 1
        seconds = self.loaded.seconds_per_scored_pixel * self._request.height * self._request.width
        return max(1, min(MAX_BATCH, int(PIECE_S / seconds)))

    def _classes_of_condition(self) -> list[int | None]:
        if self._is_each:
            return list(range(self.loaded.model.context_size))
        return [(self._request.condition or {}).get("class")]

    def _log_prob_maps(self, piece: Piece) -> npt.NDArray[np.float32]:
        """Nats [pair, height, width, channels]."""
        request = self._request
        shape = (request.height, request.width, request.channels)
        images = [np.frombuffer(self.attempt.claim.uploads[k], np.uint8).reshape(shape) for k, _ in piece]
        x = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
        size = self.loaded.model.context_size
        contexts = [one_hot(c, size) for _, c in piece if c is not None]
        context = torch.from_numpy(np.stack(contexts)) if contexts else None
        with torch.inference_mode():
            maps = self.loaded.model.log_prob_map(x, context)
        return maps.permute(0, 2, 3, 1).float().numpy()

    def _finish_image(self, k: int, maps: npt.NDArray[np.float32]) -> None:
        """`maps`: nats [class, height, width, channels]."""
        request = self._request
        flat = maps.reshape(len(maps), -1).astype(np.float64)
        log_probs = flat.sum(1)
        result: dict[str, Any] = {"sample": k, "unit": "nats", "kind": "exact"}
        log_prob = scoring.log_mean_exp(log_probs) if self._is_each else log_probs[0]
        result |= self._measures(float(log_prob), self._is_each)
        if self._is_each:
            result["classes"] = self._class_results(log_probs)
        result["receipt"] = receipt(request, k, torch_profile())  # whatever the engine draws with
        kept = b""
        if request.per_pixel:
            kept = (scoring.mixture_map(flat) if self._is_each else flat[0]).astype("<f4").tobytes()
        pixels = request.height * request.width
        self.attempt.add_result(SampleResult(k, json.dumps(result), pixels, kept))

    def _class_results(self, log_probs: scoring.Nats) -> list[dict[str, Any]]:
        conditioning = self.loaded.config.conditioning
        names = conditioning.names if isinstance(conditioning, ByClass) else ()
        return [
            {"class": c, "name": names[c], "posterior": float(p), **self._measures(float(log_prob), False)}
            for c, (log_prob, p) in enumerate(zip(log_probs, scoring.class_posterior(log_probs), strict=True))
        ]

    def _measures(self, log_prob: float, is_mixture: bool) -> dict[str, Any]:
        """The test scores are of images given their class, so that of a mixture has no percentile among them."""
        quantiles = self.loaded.config.evaluation.score_quantiles
        return {
            "log_prob": log_prob,
            "bits_per_dim": scoring.bits_per_dim(log_prob, self._request.image_bytes),
            "percentile": None if is_mixture else scoring.percentile(log_prob, quantiles),
        }
