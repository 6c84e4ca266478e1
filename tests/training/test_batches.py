import pytest
import torch

from training.batches import Batches, batch_indices, shifted
from training.config import ConfigError
from training.datasets import Split


def test_an_epoch_visits_every_image_once() -> None:
    seen = torch.cat([batch_indices(30, 5, seed=1, step=step) for step in range(6)])
    assert sorted(seen.tolist()) == list(range(30))


def test_epochs_and_seeds_are_shuffled_differently() -> None:
    orders = [batch_indices(100, 100, seed, step).tolist() for seed, step in ((1, 0), (1, 1), (2, 0))]
    assert len({tuple(order) for order in orders}) == 3


def test_batches_go_on_from_the_step_they_are_told() -> None:
    split = Split(torch.arange(20).reshape(20, 1, 1, 1), torch.arange(20))
    from_start = iter(Batches(split, 4, 3, lambda: 0))
    resumed = iter(Batches(split, 4, 3, lambda: 7))
    expected = [next(from_start)[1].tolist() for _ in range(12)][7:]
    assert [next(resumed)[1].tolist() for _ in range(5)] == expected


def test_a_batch_larger_than_the_training_set_is_refused_with_both_sizes() -> None:
    split = Split(torch.zeros(20, 1, 1, 1), torch.zeros(20))
    with pytest.raises(ConfigError, match="batch_size is 21, but there are only 20 training images"):
        Batches(split, 21, 3, lambda: 0)
    assert len(next(iter(Batches(split, 20, 3, lambda: 0)))[0]) == 20


def test_images_are_shifted_each_by_itself_and_by_no_more_than_asked() -> None:
    picture = torch.arange(3 * 5 * 6, dtype=torch.uint8).reshape(3, 5, 6)
    found = shifted(picture.expand(400, -1, -1, -1), 2, seed=1, step=7)
    padded = torch.nn.functional.pad(picture.float(), (2, 2, 2, 2), mode="replicate").byte()
    expected = {padded[:, i : i + 5, j : j + 6].numpy().tobytes() for i in range(5) for j in range(5)}
    assert {image.numpy().tobytes() for image in found} == expected and len(expected) == 25
    assert torch.equal(found, shifted(picture.expand(400, -1, -1, -1), 2, seed=1, step=7))
    assert not torch.equal(found, shifted(picture.expand(400, -1, -1, -1), 2, seed=1, step=8))


def test_batches_are_shifted_where_that_is_asked_for() -> None:
    split = Split(torch.arange(2 * 16, dtype=torch.uint8).reshape(2, 1, 4, 4), torch.arange(2))
    plain, moved = (next(iter(Batches(split, 2, 3, lambda: 5, shift))) for shift in (0, 1))
    assert torch.equal(moved[0], shifted(plain[0], 1, 3, 5)) and torch.equal(moved[1], plain[1])
