import torch

from training.classifier import share_named, train_classifier
from training.datasets import Split


def bars() -> Split:
    """Ten classes that anybody can tell apart: a bright bar at another height each."""
    torch.manual_seed(0)
    labels = torch.arange(200) % 10
    images = torch.randint(0, 60, (200, 1, 28, 28), dtype=torch.uint8)
    for k, label in enumerate(labels.tolist()):
        images[k, 0, 2 * label + 3] = 255
    return Split(images, labels)


def test_it_learns_and_counts() -> None:
    split = bars()
    classifier = train_classifier(split, num_steps=15)
    right = share_named(classifier, split.images, split.labels)
    assert right > 0.9
    assert share_named(classifier, split.images, (split.labels + 1) % 10) <= 1 - right


def test_it_is_a_function_of_the_data() -> None:
    first, second = (train_classifier(bars(), num_steps=2).state_dict() for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)
