"""Conditions as the vectors that models take."""

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.conditioning import ByClass, ByEmbedding, ByMap, ByTags, Conditioning, Unconditional
from worker.contexts import ConditionError, Vector, condition_images, contexts_of
from worker.protocol import JobRequest
from worker.receipts import receipt

CLASSES = ByClass("class", ("cat", "dog", "cow"))
TAGS = ByTags("tags", ("red", "round", "small"))
UNIT, ANY = ByEmbedding("embedding", 3, normalised=True), ByEmbedding("embedding", 3, normalised=False)


def request(condition: dict[str, Any] | None, **fields: Any) -> JobRequest:
    return JobRequest("sample", "m", "0" * 64, 4, 4, 1, 2, condition=condition, **fields)


def contexts(condition: dict[str, Any] | None, conditioning: Conditioning, embedded: bytes | None = None) -> Vector:
    vectors = contexts_of(request(condition), conditioning, embedded)
    assert vectors is not None and vectors.dtype == np.float32
    return vectors


def test_each_form_of_condition_is_a_vector_of_its_own() -> None:
    assert contexts({"class": 1}, CLASSES).tolist() == [[0, 1, 0]]
    assert contexts({"each": True}, CLASSES).tolist() == np.eye(3).tolist()
    assert contexts({"tags": ["small", "red"]}, TAGS).tolist() == [[1, 0, 1]]
    assert contexts({"tags": []}, TAGS).tolist() == [[0, 0, 0]]
    assert contexts({"embedding": [1, -2.5, 0]}, ANY).tolist() == [[1, -2.5, 0]]
    assert contexts_of(request(None), Unconditional("none"), None) is None


def test_a_normalised_embedding_has_length_one_and_stays_as_it_is_when_it_has() -> None:
    scaled = contexts({"embedding": [3, 0, 4]}, UNIT)
    np.testing.assert_allclose(scaled, [[0.6, 0, 0.8]], rtol=1e-7)
    rng = np.random.default_rng(0)
    for vector in rng.normal(size=(50, 3)):
        once = contexts({"embedding": vector.tolist()}, UNIT)
        again = contexts({"embedding": [float(str(number)) for number in once[0]]}, UNIT)
        assert again.tobytes() == once.tobytes()


def test_images_are_the_vectors_that_were_kept() -> None:
    kept = np.array([[0.6, 0.8, 0], [0, 1, 0]], np.float32)
    image = {"image": {"upload": 0, "sha256": "aa"}}
    assert contexts(image, UNIT, kept[:1].tobytes()).tolist() == kept[:1].tolist()
    path = {"interpolate": {"from": image, "to": {"embedding": [0, 0, 1]}, "steps": 2}}
    assert contexts(path, UNIT, kept[:1].tobytes()).tolist() == [kept[0].tolist(), [0, 0, 1]]
    both = {"interpolate": {"from": image, "to": {"image": {"upload": 1}}, "steps": 2}}
    assert contexts(both, UNIT, kept.tobytes()).tolist() == kept.tolist()
    assert [told["upload"] for told in condition_images(both)] == [0, 1]


def test_a_map_is_the_numbers_of_its_levels_as_they_lie_among_the_uploads() -> None:
    told: dict[str, Any] = {"map": {"upload": 1, "sha256": "aa"}}
    small = ByMap("map", "image", 1, 1, 256)
    levels = np.array([[0, 255, 51], [102, 204, 153]], np.uint8)
    asked = JobRequest("sample", "m", "0" * 64, 4, 5, 1, 256, condition=told)
    maps = contexts_of(asked, small, None, [b"", levels.tobytes()])
    assert maps is not None and maps.dtype == np.float32
    np.testing.assert_allclose(maps, levels[None, :, :, None] / 127.5 - 1, atol=1e-6)
    labels = ByMap("map", "labels", 0, 1, 3, ("sky", "tree", "ground"))
    places = np.arange(16, dtype=np.uint8) % 3
    maps = contexts_of(request(told), labels, None, [b"", places.tobytes()])
    assert maps is not None
    np.testing.assert_array_equal(maps, np.eye(3)[places].reshape(1, 4, 4, 3))
    receipt_of = receipt(request(told), 0, "torch-cpu", context=maps[0])
    assert receipt_of["condition"] == {"map": {"sha256": "aa"}}
    assert receipt_of["context_sha256"] == hashlib.sha256(maps[0].astype("<f4").tobytes()).hexdigest()


def test_a_path_is_straight_and_of_length_one_where_the_bundle_is() -> None:
    path = {"interpolate": {"from": {"embedding": [2, 0, 0]}, "to": {"embedding": [0, 2, 0]}, "steps": 5}}
    np.testing.assert_allclose(contexts(path, ANY)[:, :2], [[2, 0], [1.5, 0.5], [1, 1], [0.5, 1.5], [0, 2]])
    unit = contexts(path, UNIT)
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(unit[2], [0.5**0.5, 0.5**0.5, 0], rtol=1e-6)


def test_a_path_through_zero_has_no_direction_there() -> None:
    path = {"interpolate": {"from": {"embedding": [1, 0, 0]}, "to": {"embedding": [-1, 0, 0]}, "steps": 3}}
    with pytest.raises(ConditionError, match="no direction"):
        contexts_of(request(path), UNIT, None)


def test_a_receipt_of_an_image_or_of_a_step_says_the_numbers_and_where_they_come_from() -> None:
    vector = contexts({"embedding": [1, 2, 3]}, UNIT)[0]
    image = {"image": {"upload": 0, "sha256": "aa", "fit": "reject"}}
    told = receipt(request(image), 1, "torch-cpu", context=vector)
    assert np.array(told["condition"]["embedding"], np.float32).tobytes() == vector.tobytes()
    assert told["context_sha256"] == hashlib.sha256(vector.tobytes()).hexdigest()
    assert told["embedded_images"] == [{"sha256": "aa", "fit": "reject"}] and told["sample"] == 1
    path = {"interpolate": {"from": image, "to": {"embedding": [0, 0, 1]}, "steps": 4}}
    told = receipt(request(path, n=4), 3, "torch-cpu", context=vector)
    assert told["interpolation"] == {"step": 3, "steps": 4} and told["sample"] == 0
    assert told["condition"].keys() == {"embedding"} and len(told["embedded_images"]) == 1


def test_a_receipt_of_a_class_or_of_tags_says_what_was_asked() -> None:
    told = receipt(request({"class": 1}), 0, "torch-cpu", context=contexts({"class": 1}, CLASSES)[0])
    assert told["condition"] == {"class": 1} and "context_sha256" not in told
    assert receipt(request({"tags": ["red"]}), 0, "torch-cpu", context=None)["condition"] == {"tags": ["red"]}


def test_a_receipt_of_a_score_tells_of_its_own_file_alone() -> None:
    """64 files in each of 64 receipts would be a megabyte, for which no room was set aside."""
    files = [{"sha256": digit * 64} for digit in "abc"]
    scored = replace(request(None, n=3), kind="score", upload={"images": files})
    assert [receipt(scored, k, "torch-cpu")["upload"] for k in range(3)] == [{"images": [file]} for file in files]
    completed = replace(request(None), kind="completion", upload={"sha256": "aa", "fit": "reject"})
    assert receipt(completed, 0, "torch-cpu")["upload"] == {"sha256": "aa", "fit": "reject"}
