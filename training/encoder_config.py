"""The encoder of a run: what it is, and what it is trained by. The table `[encoder]` of a run's TOML file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MetricLoss:
    """How an encoder is trained to tell images apart: see `training.metric`.

    Attributes:
        steps, batch_size, learning_rate: of Adam, the rate falling to 0 as half a cosine.
        temperature: divides the cosine of two embeddings.
        by_class: share of the target that goes to images of the same class; the rest to the image's own other view.
        shift: of a view, in pixels. rotation: in degrees. scale, brightness: as shares. noise: in units of full scale.
    """

    steps: int
    batch_size: int = 256
    learning_rate: float = 1e-3
    temperature: float = 0.1
    by_class: float = 0.2
    shift: float = 1.5
    rotation: float = 5.0
    scale: float = 0.08
    brightness: float = 0.15
    noise: float = 0.05


@dataclass(frozen=True, slots=True)
class EncoderConfig:
    """An encoder to vectors of `size` numbers; `widths` and `hidden` as `models.encoder.Encoder` takes them.

    `metric`: it is trained first, by this loss, and its vectors have length 1. Without, it is the first half of an
    auto-encoder: trained together with the model, by the likelihood of the image that it was given.
    """

    size: int
    widths: tuple[int, ...]
    hidden: int
    metric: MetricLoss | None = None
