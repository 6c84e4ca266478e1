"""Metric learning: an encoder by whose embedding an image is known again, however it was tampered with."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from tqdm import tqdm  # type: ignore[import-untyped]

from models.encoder import Encoder
from training.batches import batch_indices
from training.datasets import Split
from training.encoder_config import MetricLoss


def fit_by_metric(encoder: Encoder, train: Split, loss: MetricLoss, seed: int, progress: bool = False) -> Encoder:
    """Train `encoder` in place, by two views of every image a step; the same in evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(encoder.parameters(), loss.learning_rate)
    batch_size = min(loss.batch_size, len(train))
    for step in tqdm(range(loss.steps), "encoder", disable=not progress):
        optimizer.param_groups[0]["lr"] = loss.learning_rate * 0.5 * (1 + math.cos(math.pi * step / loss.steps))
        chosen = batch_indices(len(train), batch_size, seed, step)
        images, labels = train.images[chosen].float(), train.labels[chosen]
        views = [encoder(view(images, encoder.num_levels, loss, generator)) for _ in range(2)]
        nats = contrastive(torch.cat(views), torch.cat([labels, labels]), loss)
        optimizer.zero_grad()
        nats.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return encoder.eval()


def contrastive(vectors: Tensor, labels: Tensor, loss: MetricLoss) -> Tensor:
    """Cross entropy in nats between which view a view looks like and which it should.

    With `by_class` 0 the NT-Xent of SimCLR (Chen et al. 2020, arXiv 2002.05709, eq. 1), with 1 nearly the supervised
    contrastive loss (Khosla et al. 2020, arXiv 2004.11362, eq. 2).

    Args:
        vectors: unit length, [2 images, size], first one view of every image, then the other. labels: [2 images].
    """
    count = len(vectors)
    own = torch.eye(count, dtype=torch.bool)
    logits = (vectors @ vectors.T / loss.temperature).masked_fill(own, -torch.inf)
    other_view = own.roll(count // 2, 0).float()
    same_class = ((labels[:, None] == labels) & ~own).float()
    target = (1 - loss.by_class) * other_view + loss.by_class * same_class / same_class.sum(1, keepdim=True)
    log_share = F.log_softmax(logits, 1).masked_fill(own, 0.0)
    return -(target * log_share).sum(1).mean()


def view(images: Tensor, num_levels: int, loss: MetricLoss, generator: torch.Generator) -> Tensor:
    """Images [image, channel, row, col] shifted, turned, scaled, dimmed or lit and made noisy, each its own way."""

    def uniform(*shape: int) -> Tensor:
        return 2 * torch.rand(len(images), *shape, generator=generator) - 1

    height, width = images.shape[2:]
    angle, scale = math.radians(loss.rotation) * uniform(), 1 + loss.scale * uniform()
    cos, sin = torch.cos(angle) / scale, torch.sin(angle) / scale
    shift_x, shift_y = 2 * loss.shift / width * uniform(), 2 * loss.shift / height * uniform()
    places = torch.stack([torch.stack([cos, -sin, shift_x], 1), torch.stack([sin, cos, shift_y], 1)], 1)
    grid = F.affine_grid(places, list(images.shape), align_corners=False)
    moved = F.grid_sample(images, grid, padding_mode="border", align_corners=False)
    noise = torch.randn(moved.shape, generator=generator) * loss.noise * (num_levels - 1)
    return (moved * (1 + loss.brightness * uniform(1, 1, 1)) + noise).clamp(0, num_levels - 1)
