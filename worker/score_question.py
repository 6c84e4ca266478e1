"""What a score job asks about an image, and how its maps answer: under classes, or under draws of noise.

Both kinds of question have `variants`, each of which makes pixels and a context of an uploaded image, to be scored in
one parallel pass; and an `answer` from the maps of all of them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from models.bundle_config import BundleConfig
from models.conditioning import ByClass
from worker import scoring
from worker.contexts import Vector
from worker.dequantise import dequantised
from worker.protocol import JobRequest

Variant = int | None
"""Of levels which context, that is which class if there are several, or None without any; of a density which noise."""
Maps = npt.NDArray[np.float32]
"""log p in nats, [variant, height, width, channels]."""
Levels = npt.NDArray[np.uint8]


class LevelsQuestion:
    """log p of levels under one context, no context, or every class in turn."""

    def __init__(self, request: JobRequest, config: BundleConfig, contexts: Vector | None) -> None:
        """`contexts`: [variant, size], or a map, as `worker.contexts.contexts_of` makes them."""
        self._request, self._contexts = request, contexts
        self._is_each = bool((request.condition or {}).get("each"))
        self._quantiles = config.evaluation.score_quantiles
        self._names = config.conditioning.names if isinstance(config.conditioning, ByClass) else ()
        self.variants: list[Variant] = [None] if contexts is None else list(range(len(contexts)))

    def pixels(self, levels: Levels, variant: Variant) -> Levels:
        return levels

    def context(self, variant: Variant) -> Vector | None:
        """What the model is told: a vector [size], or a map [number, row, column]."""
        if self._contexts is None or variant is None:
            return None
        context: Vector = np.moveaxis(self._contexts[variant], -1, 0)
        return context

    def answer(self, maps: Maps) -> tuple[dict[str, Any], npt.NDArray[np.float64]]:
        """The result, and the map that is kept: nats."""
        flat = maps.reshape(len(maps), -1).astype(np.float64)
        log_probs = flat.sum(1)
        log_prob = scoring.log_mean_exp(log_probs) if self._is_each else log_probs[0]
        result = scoring.kind_and_unit(self._request) | self._measures(float(log_prob), self._is_each)
        if self._is_each:
            result["classes"] = self._class_results(log_probs)
        return result, scoring.mixture_map(flat) if self._is_each else flat[0]

    def _class_results(self, log_probs: scoring.Nats) -> list[dict[str, Any]]:
        return [
            {"class": c, "name": self._names[c], "posterior": float(p), **self._measures(float(log_prob), False)}
            for c, (log_prob, p) in enumerate(zip(log_probs, scoring.class_posterior(log_probs), strict=True))
        ]

    def _measures(self, log_prob: float, is_mixture: bool) -> dict[str, Any]:
        """The test scores are of images given their class, so that of a mixture has no percentile among them."""
        return {
            "log_prob": log_prob,
            "bits_per_dim": scoring.bits_per_dim(log_prob, self._request.num_dims),
            "percentile": None if is_mixture else scoring.percentile(log_prob, self._quantiles),
        }


class DensityQuestion:
    """The rate of a density on bytes, averaged over `request.draws` draws of the noise that dequantises them."""

    def __init__(self, request: JobRequest, config: BundleConfig) -> None:
        self._request, self._quantiles = request, config.evaluation.score_quantiles
        self.variants: list[Variant] = list(range(request.draws))

    def pixels(self, levels: Levels, variant: Variant) -> npt.NDArray[np.float32]:
        return dequantised(levels, self._request.seed, variant or 0)

    def context(self, variant: Variant) -> None:
        return None

    def answer(self, maps: Maps) -> tuple[dict[str, Any], npt.NDArray[np.float64]]:
        """The result, and the map that is kept: log2 p of every pixel, scaled to [0, 1), averaged over the noise.

        Averaged over the noise, 8 less the rate bounds the code length of the bytes from above (Jensen's inequality).
        """
        bits = maps.astype(np.float64) / np.log(2) + scoring.BITS_OF_A_BYTE
        rates = bits.mean((1, 2, 3))
        rate = float(rates.mean())
        error = float(rates.std(ddof=1) / np.sqrt(len(rates))) if len(rates) > 1 else None
        bound = {"bits_per_dim": scoring.BITS_OF_A_BYTE - rate, "unit": "bits/dim", "kind": "bound"}
        result = {
            **scoring.kind_and_unit(self._request),
            "density_bits_per_pixel": rate,
            "standard_error": error,
            "draws": len(rates),
            "percentile": scoring.percentile(rate, self._quantiles),
            "code_length": bound | {"standard_error": error},
        }
        return result, bits.mean(0).ravel()
