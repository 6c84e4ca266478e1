"""A small classifier of 28x28 images, trained on real ones: the judge of class-conditional samples."""

import hashlib
from pathlib import Path

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm  # type: ignore[import-untyped]

from training.batches import batch_indices
from training.datasets import Split

EPOCHS, BATCH, LEARNING_RATE, SEED = 4, 100, 2e-3, 7


class Classifier(nn.Sequential):
    """Two 5x5 convolutions with pooling, one hidden layer. Levels [batch, 1, 28, 28] -> logits [batch, 10]."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(1, 24, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(24, 48, 5, padding=2),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(48 * 49, 128),
            nn.ReLU(),
            nn.Dropout(0.4),
            nn.Linear(128, 10),
        )


def trained_classifier(train: Split, cache: Path, progress: bool = False, num_levels: int = 256) -> Classifier:
    """The classifier for images `train`; read from `cache`, a folder, if it was trained before."""
    digest = hashlib.sha256(train.images.numpy().tobytes()).hexdigest()[:16]
    path = cache / f"classifier-{digest}-{num_levels}.safetensors"
    classifier = Classifier()
    if path.exists():
        classifier.load_state_dict(safetensors.torch.load_file(path))
        return classifier.eval()
    classifier = train_classifier(train, EPOCHS * (len(train) // BATCH), progress, num_levels)
    cache.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    safetensors.torch.save_file(classifier.state_dict(), fresh)
    fresh.replace(path)
    return classifier


def train_classifier(train: Split, num_steps: int, progress: bool = False, num_levels: int = 256) -> Classifier:
    """Adam with a linear fall of the learning rate to 0."""
    torch.manual_seed(SEED)
    classifier = Classifier()
    optimizer = torch.optim.Adam(classifier.parameters(), LEARNING_RATE)
    for step in tqdm(range(num_steps), "classifier", disable=not progress):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (1 - step / num_steps)
        chosen = batch_indices(len(train), BATCH, SEED, step)
        loss = F.cross_entropy(classifier(_scaled(train.images[chosen], num_levels)), train.labels[chosen])
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return classifier.eval()


@torch.inference_mode()
def share_named(classifier: Classifier, images: Tensor, labels: Tensor, num_levels: int = 256) -> float:
    """The share of images [image, 1, 28, 28] of levels that the classifier names as `labels` [image] say."""
    named = torch.cat([classifier(_scaled(part, num_levels)).argmax(1) for part in torch.split(images, 500)])
    return (named == labels).double().mean().item()


def _scaled(images: Tensor, num_levels: int) -> Tensor:
    return images.float() / (num_levels - 1)
