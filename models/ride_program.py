"""The step program of RIDE: whitening, spatial LSTMs, MCGSM, all of it once a pixel."""

from collections.abc import Sequence
from typing import cast

from torch import Tensor

from models.mcgsm_head import McgsmHead
from models.mcgsm_program import DensityBuilder
from models.program import Affine, Feature, Pointwise, Program, Ref, Tap
from models.spatial_lstm import SpatialLSTM
from models.whitening import Whitening


def build_program(whitening: Whitening, layers: Sequence[SpatialLSTM], head: McgsmHead) -> Program:
    """Parameters are detached copies. Layer l makes the features `u{l}` (gates), `h{l}` and `c{l}`."""
    builder = DensityBuilder(whitening)
    below = builder.neighbours
    for index, layer in enumerate(layers):
        u, h, c = f"u{index}", f"h{index}", f"c{index}"
        width = layer.left.shape[1]
        builder.features += [Feature(u, 5 * width), Feature(h, width), Feature(c, width)]
        taps = (
            Tap(below, builder.put(f"{u}.weight", layer.inputs.weight)),
            Tap(Ref(h, 0, width, 0, -1), builder.put(f"{u}.left", layer.left)),
            Tap(Ref(h, 0, width, -1, 0), builder.put(f"{u}.above", layer.above)),
        )
        bias = builder.put(f"{u}.bias", cast(Tensor, layer.inputs.bias))
        builder.before.append(Affine(Ref(u, 0, 5 * width), taps, bias))
        cells = (Ref(c, 0, width, 0, -1), Ref(c, 0, width, -1, 0))
        outs = (Ref(h, 0, width), Ref(c, 0, width))
        builder.before.append(Pointwise("spatial_lstm", outs, (Ref(u, 0, 5 * width), *cells)))
        below = outs[0]
    return builder.finish(head, below)
