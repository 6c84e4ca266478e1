"""Images that a job is conditioned on, through the encoder of its bundle: once a job, then the numbers are kept."""

import dataclasses

import numpy as np
import torch

from models.encoder import Encoder
from worker.attempt import Attempt
from worker.contexts import ConditionError, Vector, condition_images
from worker.leases import Claim, Leases


def embed_images(attempt: Attempt, encoder: Encoder | None, leases: Leases) -> None:
    """Put the vectors of the condition's images into the attempt's claim.

    A job that was begun before brings the vectors that its first attempt kept, whatever machine that ran on.
    """
    claim = attempt.claim
    images = condition_images(claim.request.condition)
    if not images or claim.embedded is not None:
        return
    if encoder is None:
        raise ConditionError(f"{claim.request.model} has no encoder")
    vectors = b"".join(embed(encoder, _levels(claim, image["upload"])).astype("<f4").tobytes() for image in images)
    kept = leases.keep_embedded(claim.job_id, claim.attempt, vectors)
    attempt.claim = dataclasses.replace(claim, embedded=kept)


def embed(encoder: Encoder, levels: np.ndarray) -> Vector:
    """The vector [size] of levels uint8 [height, width, channels], alone in its batch."""
    vector: Vector = encoder.embed(torch.from_numpy(levels.transpose(2, 0, 1).copy())).numpy()
    return vector


def _levels(claim: Claim, upload: int) -> np.ndarray:
    request = claim.request
    shape = (request.height, request.width, request.channels)
    return np.frombuffer(claim.uploads[upload], np.uint8).reshape(shape)
