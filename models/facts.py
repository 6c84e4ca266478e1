"""What a bundle says of itself beside its sizes: where the weights come from, and how likely they make test images."""

from dataclasses import dataclass

NUM_QUANTILES = 101


@dataclass(frozen=True, slots=True)
class TrainingFacts:
    """Where the weights come from. `hours` are wall-clock hours; `images_seen` counts repetitions.

    `date` is the day on which the training ended (UTC), as in 2026-11-24; empty where nobody wrote it down.
    """

    data: str
    license: str
    seed: int
    steps: int
    images_seen: int
    hours: float
    date: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over test images with its standard error."""

    mean: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class ClassifierFacts:
    """How often a classifier, trained on real images, names samples as they were asked for (shares, 0 to 1)."""

    accuracy_on_test: float
    share_as_asked: float
    num_samples: int


@dataclass(frozen=True, slots=True)
class Baselines:
    """What other codes need for the same test images, in bits a dimension.

    `histogram`: independent sub-pixels, each with the distribution it has in the training set, add-one smoothed.
    `png`: whole PNG files.
    """

    histogram: Estimate
    png: Estimate


@dataclass(frozen=True, slots=True)
class ScaleFacts:
    """Likelihood of one image of a chain, `height` x `width`, given those before it, in bits a dimension of its own."""

    height: int
    width: int
    bits_per_dim: Estimate


@dataclass(frozen=True, slots=True)
class RecognitionFacts:
    """Whether samples are told by their embedding from those of other images.

    `share` of `num_samples` samples, each asked for by the embedding of one of `among` test images, whose own embedding
    is nearer to that one than to the other `among` - 1.
    """

    share: float
    num_samples: int
    among: int


@dataclass(frozen=True, slots=True)
class ReconstructionFacts:
    """How often a classifier, trained on real images, finds the class of a test image in its reconstruction (shares).

    `class_kept`: in a sample given its code; `class_kept_by_mse`: in what an auto-encoder with the same encoder makes
    of it that was trained for the least squared error, rounded to the levels; `accuracy_on_test`: in the image itself.
    """

    class_kept: float
    class_kept_by_mse: float
    accuracy_on_test: float
    num_images: int


@dataclass(frozen=True, slots=True)
class AgreementFacts:
    """How far the maps made of samples, by the rule that made those of the images, are from the maps that were told.

    Of an image the mean absolute difference in levels, of labels the share of places that have another one (0 to 1):
    `told` over `num_samples` samples, each told the map of a test image; `another`: from that of the test image before.
    """

    told: float
    another: float
    num_samples: int


@dataclass(frozen=True, slots=True)
class ConditionFacts:
    """What being told a vector or a map is worth.

    `bits_per_dim_without`: of the same test images given zeros, which training put in place of a share of the vectors
    or maps, so the same net does without; `gain_nats`: what each image gains by its own.
    """

    bits_per_dim_without: Estimate
    gain_nats: Estimate
    recognition: RecognitionFacts | None = None
    reconstruction: ReconstructionFacts | None = None
    agreement: AgreementFacts | None = None


@dataclass(frozen=True, slots=True)
class EvaluationFacts:
    """Likelihood of test images. `score_quantiles`: 0 %, 1 %, … 100 % of log_prob in nats an image, increasing.

    `scales`: of a chain, each of its images, coarsest first; the other figures are then bounds: of all scales together,
    in bits for each dimension of the last.
    """

    data: str
    num_images: int
    log_prob_nats: Estimate
    bits_per_dim: Estimate
    score_quantiles: tuple[float, ...]
    classifier: ClassifierFacts | None = None
    baselines: Baselines | None = None
    condition: ConditionFacts | None = None
    scales: tuple[ScaleFacts, ...] | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Another density on the same test images with the same noise, in bit/px over all pixels.

    `above`: how much the bundle's own rates are above those of `model`, image by image.
    """

    model: str
    density_bits_per_pixel: Estimate
    above: Estimate


@dataclass(frozen=True, slots=True)
class DensityFacts:
    """Rates of test images under a density: log2 p a pixel, for pixels scaled to [0, 1); higher is better.

    Every image is seen whole, and its bytes dequantised once. `density_bits_per_pixel` counts all pixels,
    `reachable_bits_per_pixel` those that have all their neighbours, `bits_per_dim_bound` is 8 less the first: the upper
    bound on the code length of the bytes. `score_quantiles`: 0 %, 1 %, … 100 % of the images' rates over all pixels.
    """

    data: str
    num_images: int
    density_bits_per_pixel: Estimate
    reachable_bits_per_pixel: Estimate
    bits_per_dim_bound: Estimate
    score_quantiles: tuple[float, ...]
    comparisons: tuple[Comparison, ...] = ()
