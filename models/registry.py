"""The architectures by name: what `architecture` in a bundle's config and in a run's config may say."""

from collections.abc import Callable, Mapping

from models.base import Model
from models.diagonal_bilstm import DiagonalBiLSTM
from models.gated_pixelcnn import GatedPixelCNN
from models.mcgsm import MCGSM
from models.multi_scale import MultiScale
from models.pixel_cnn import PixelCNN
from models.ride import RIDE
from models.row_lstm import RowLSTM

ARCHITECTURES: Mapping[str, Callable[..., Model]] = {
    "gated_pixelcnn": GatedPixelCNN,
    "pixel_cnn": PixelCNN,
    "row_lstm": RowLSTM,
    "diagonal_bilstm": DiagonalBiLSTM,
    "multi_scale": MultiScale,
    "mcgsm": MCGSM,
    "ride": RIDE,
}
"""The classes; their arguments are the fields of the dataclass of the same name in `models.sizes.SIZES`."""
