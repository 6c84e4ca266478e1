"""Paths between embeddings: what the API takes, the worker can make vectors of."""

import numpy as np
import pytest

from app.condition_images import ConditionImages
from app.conditions import resolve_path
from app.errors import ApiError
from models.conditioning import ByEmbedding
from tests.app.parts import INK
from worker.contexts import contexts_of
from worker.protocol import Card, JobRequest


def faces(normalised: bool = True) -> Card:
    conditioning = {"kind": "embedding", "size": 8, "normalised": normalised, "takes_image": False}
    return Card("faces", "fa" * 32, "admitted", height=8, width=6, channels=1, num_levels=2, conditioning=conditioning)


def taken(card: Card, first: list[float], last: list[float], steps: int) -> bool:
    """Whether the API takes the path; if so the worker must."""
    path = {"from": {"embedding": first}, "to": {"embedding": last}, "steps": steps}
    try:
        condition = resolve_path(card, path, ConditionImages(INK, 100, (8, 6)), max_steps=64)
    except ApiError as error:
        assert error.param == "interpolate" and "opposite" in error.message
        return False
    request = JobRequest("sample", "faces", "fa" * 32, 8, 6, 1, 2, n=steps, condition=condition)
    contexts = contexts_of(request, ByEmbedding("embedding", 8, (card.conditioning or {})["normalised"]), None)
    assert contexts is not None and contexts.shape == (steps, 8)
    return True


FIRST = [0.6, 0, 0, 0, 0, 0, 0, -0.8]
OPPOSITE = [-number for number in FIRST]


@pytest.mark.parametrize(
    "last", [OPPOSITE, [7 * number for number in OPPOSITE], [1e-3 * number for number in OPPOSITE]]
)
def test_an_odd_number_of_steps_to_the_opposite_is_refused(last: list[float]) -> None:
    assert [taken(faces(), FIRST, last, steps) for steps in (2, 3, 4, 5, 63, 64)] == [True, False] * 2 + [False, True]


def test_a_model_that_does_not_scale_its_vectors_takes_zero() -> None:
    assert taken(faces(normalised=False), FIRST, OPPOSITE, 3)


def test_whatever_is_taken_near_the_opposite_can_be_drawn() -> None:
    random = np.random.default_rng(0)
    answers = []
    for _ in range(2000):
        first = random.normal(size=8)
        # Lengths that the worker takes for 1, and others; from far nearer than float32 tells apart to plainly apart.
        first *= (1 + random.uniform(-2e-5, 2e-5)) / np.linalg.norm(first)
        last = -first * (1 + random.choice([0, 1e-5, 3])) + random.normal(size=8) * 10 ** random.uniform(-9, -3)
        answers.append(taken(faces(), first.tolist(), last.tolist(), 3))
    assert 100 < sum(answers) < 1900
