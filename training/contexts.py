"""From what is told of an image to the vector or the map that the model takes."""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.base import Model
from models.encoder import Encoder
from training.datasets import Split

BATCH = 250


def context_of(model: Model, labels: Tensor) -> Tensor | None:
    """What `model` takes, of what a `Split` tells of its images: maps as they are, anything else by `one_hot`."""
    return one_hot(labels, model.context_size) if model.given_map is None else labels.float()


def one_hot(labels: Tensor, num_classes: int) -> Tensor | None:
    """Context [batch, num_classes], None for an unconditional model.

    `labels`: classes [batch]; or vectors, such as tags or embeddings, which are contexts already.
    """
    if not num_classes:
        return None
    return labels.float() if labels.dim() == 2 else F.one_hot(labels, num_classes).float()


@torch.inference_mode()
def embedded(split: Split, encoder: Encoder) -> Split:
    """The same images, labelled with their embeddings."""
    return Split(split.images, torch.cat([encoder(part) for part in torch.split(split.images, BATCH)]).float())


def mirrored(split: Split) -> Split:
    """Every image and, after all of them, its mirror image."""
    images = torch.cat([split.images, split.images.flip(-1)])
    return Split(images, torch.cat([split.labels, split.labels]))
