"""The nets that are measured: random weights, since speed does not depend on them."""

from collections.abc import Iterable
from pathlib import Path

import torch

from models.bundle import write_bundle
from models.bundle_config import FORMAT, BundleConfig
from models.conditioning import Unconditional
from models.facts import NUM_QUANTILES, Estimate, EvaluationFacts, TrainingFacts
from models.gated_pixelcnn import GatedPixelCNN
from models.program import Affine, Program
from models.sizes import GatedPixelCNNSizes

LAYERS, WIDTH, SIZE = 15, 64, 28
"""The net that every table is about unless it says otherwise: 15 layers of 64 maps, images of 28x28."""
NET, NO_OP = "net", "no-op"
"""Bundles of that net and of the smallest one, by their ids in the service that is measured."""


def gated_pixelcnn(num_layers: int = LAYERS, width: int = WIDTH) -> GatedPixelCNN:
    """`num_layers` gated layers of `width` maps, 7x7 first, 3x3 after, one binary channel."""
    torch.manual_seed(0)
    return GatedPixelCNN(1, 2, width, [1] * (num_layers - 1)).eval()


def smallest() -> GatedPixelCNN:
    """One layer of one map, as small as the format allows: what it takes is the service's own."""
    torch.manual_seed(0)
    return GatedPixelCNN(1, 2, 1, [], first_kernel=3, kernel=3, head_width=1).eval()


def flops_per_pixel(program: Program) -> int:
    """Multiplications and additions of the affine maps: all the work that grows with the net."""
    ops: Iterable[Affine] = (op for phase in program.phases for op in phase.ops if isinstance(op, Affine))
    return sum(2 * tap.source.width * op.out.width for op in ops for tap in op.taps)


def write_random_bundle(directory: Path, model: GatedPixelCNN) -> None:
    """A bundle of `model` for images of any size, with evaluation facts that are made up."""
    sizes = model.sizes() | {"dilations": tuple(model.dilations)}
    evaluation = EvaluationFacts(
        "none", 1, Estimate(-1.0, 0.0), Estimate(1.0, 0.0), tuple(float(q) for q in range(NUM_QUANTILES))
    )
    config = BundleConfig(
        format=FORMAT,
        id=directory.name,
        architecture="gated_pixelcnn",
        sizes=GatedPixelCNNSizes(**sizes),
        image="any",
        channels=model.channels,
        num_levels=model.num_levels,
        head="bernoulli",
        conditioning=Unconditional("none"),
        weights_sha256="",
        training=TrainingFacts("none", "none", 0, 0, 0, 0.0),
        evaluation=evaluation,
    )
    write_bundle(directory, model, config, f"# {directory.name}\n\nRandom weights.\n")
