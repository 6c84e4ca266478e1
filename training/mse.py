"""The auto-encoder that a PixelCNN auto-encoder is compared with: the same encoder, trained for the squared error."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from tqdm import tqdm  # type: ignore[import-untyped]

from models.encoder import Encoder
from training.batches import batch_indices
from training.datasets import Split

STEPS, BATCH_SIZE, LEARNING_RATE = 4_000, 100, 1e-3
DECODER_WIDTH = 512


class MSEAutoEncoder(nn.Module):
    """An untrained encoder, and a decoder of two hidden layers.

    Levels [batch, channel, row, col] -> their expectation, the same shape, on the scale 0 .. num_levels - 1.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.decoder = nn.Sequential(
            nn.Linear(encoder.size, DECODER_WIDTH),
            nn.ReLU(),
            nn.Linear(DECODER_WIDTH, DECODER_WIDTH),
            nn.ReLU(),
            nn.Linear(DECODER_WIDTH, math.prod(encoder.shape)),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        flat: Tensor = self.decoder(self.encoder(x)) * (self.encoder.num_levels - 1)
        return flat.view(len(x), *self.encoder.shape)


def train_mse(encoder: Encoder, train: Split, seed: int, steps: int = STEPS, progress: bool = False) -> MSEAutoEncoder:
    """By Adam, the learning rate falling to 0 as half a cosine; in evaluation mode."""
    torch.manual_seed(seed)
    net = MSEAutoEncoder(encoder)
    optimizer = torch.optim.Adam(net.parameters(), LEARNING_RATE)
    for step in tqdm(range(steps), "mse", disable=not progress):
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        images = train.images[batch_indices(len(train), min(BATCH_SIZE, len(train)), seed, step)]
        loss = F.mse_loss(net(images), images.float())
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return net.eval()
