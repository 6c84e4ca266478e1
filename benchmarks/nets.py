"""The nets that are measured: random weights, since speed does not depend on them."""

import torch

from models.gated_pixelcnn import GatedPixelCNN
from models.program import Affine, Program


def gated_pixelcnn(num_layers: int, width: int) -> GatedPixelCNN:
    """`num_layers` gated layers of `width` maps, 7x7 first, 3x3 after, one binary channel."""
    torch.manual_seed(0)
    return GatedPixelCNN(1, 2, width, [1] * (num_layers - 1)).eval()


def flops_per_pixel(program: Program) -> int:
    """Multiplications and additions of the affine maps: all the work that grows with the net."""
    ops = [op for phase in program.phases for op in phase.ops if isinstance(op, Affine)]
    return sum(2 * tap.source.width * op.out.width for op in ops for tap in op.taps)
