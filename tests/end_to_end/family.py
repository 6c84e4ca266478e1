"""A tiny bundle of every architecture that draws levels, grey and in colour: arguments of `write_tiny_bundle`."""

from typing import Any

FAMILY: dict[str, dict[str, Any]] = {
    "tiny-pixelcnn": {"architecture": "pixel_cnn", "num_levels": 2},
    "tiny-row-lstm": {"architecture": "row_lstm", "num_levels": 4, "num_classes": 3},
    "tiny-diagonal-bilstm": {"architecture": "diagonal_bilstm", "num_levels": 2},
    "tiny-multi-scale": {"architecture": "multi_scale", "num_levels": 2},
    "colour-multi-scale": {"architecture": "multi_scale", "channels": 3, "num_levels": 256, "num_classes": 2},
    "colour-row-lstm": {"architecture": "row_lstm", "channels": 3, "num_levels": 256, "num_classes": 2},
    "colour-pixelcnn": {"architecture": "pixel_cnn", "channels": 3, "num_levels": 256},
}
DENSITIES: dict[str, dict[str, Any]] = {
    "tiny-ride": {"architecture": "ride", "layers": 2},
    "tiny-mcgsm": {"architecture": "mcgsm"},
}
"""The same of those that draw floats: arguments of `write_tiny_density`."""
HEIGHT, WIDTH = 9, 7
"""Of their images: odd, and not square."""
