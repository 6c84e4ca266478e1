"""The step program of a PixelCNN: taps on finished rows once a row, the present row pixel by pixel."""

from typing import TYPE_CHECKING, cast

from models.pixel_rnn_program import PixelRNNBuilder
from models.program import Program

if TYPE_CHECKING:
    from models.context_map import ContextMap
    from models.pixel_cnn import PixelCNN, ResidualBlock


def build_program(model: "PixelCNN", context_map: "ContextMap | None" = None) -> Program:
    """`model` as a step program; block l turns `x{l}` into `x{l+1}` by way of `r{l}`, `d{l}` and `u{l}`."""
    builder, h = PixelRNNBuilder(model, context_map), model.width
    for index, module in enumerate(model.layers):
        block = cast("ResidualBlock", module)
        x, r, d, u = (f"{letter}{index}" for letter in "xrdu")
        builder.relu(r, x, 2 * h)
        builder.conv1x1(d, r, block.down)
        builder.relu(d, d, h)
        builder.causal_conv(u, d, block.conv)
        if block.condition is not None:
            builder.condition(u, f"c{index}", block.condition.weight, builder.row)
        builder.relu(u, u, h)
        builder.conv1x1(f"x{index + 1}", u, block.up, plus=x)
    return builder.finish(model, f"x{len(model.layers)}")
