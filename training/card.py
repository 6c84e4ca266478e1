"""The model card of a bundle: its README.md, from its facts."""

from models.bundle_config import BundleConfig
from models.conditioning import ByClass, ByEmbedding, ByMap, ByTags
from models.facts import Baselines, ClassifierFacts, DensityFacts, Estimate, EvaluationFacts, ScaleFacts
from training.condition_card import condition_pictures, condition_rows, told_text
from training.datasets import DATASETS, Dataset
from training.density import PICTURE_MARGIN, PICTURE_SIDE, PICTURES_A_MODEL
from training.descriptions import TITLES, layers_text
from training.samples import SEED, pictured

_COMPLETIONS = (
    "Completions: what lies before the hole in raster order conditions the drawing; what lies after it does not. So a "
    "completion is an exact sample given the known pixels if the hole is all that follows a pixel, and only then."
)

COARSE_FILE = "coarse.png"
_CHAIN_COMPLETIONS = (
    "Completions: the coarse image is drawn first, told only of the known pixels on its grid and before the hole; then "
    "the image, told of the known pixels before the hole and of the whole coarse image. So a completion is never an "
    "exact sample given all known pixels."
)


def card_text(config: BundleConfig, limits: str) -> str:
    """README.md of the bundle. `limits`: known limits, one a line."""
    data = next(d for d in DATASETS.values() if d.title == config.training.data)
    sections = [
        f"# {config.id}",
        _what(config, data),
        "![samples](samples.png)",
        _samples_caption(config, data),
        f"![coarse images of the samples]({COARSE_FILE})" if config.architecture == "multi_scale" else "",
        "## Figures",
        _figures(config.evaluation),
        _commands(config),
        _pixels(config),
        _CHAIN_COMPLETIONS if config.architecture == "multi_scale" else _COMPLETIONS,
        "## Training",
        _training(config, data),
        "![learning curve](curve.svg)",
        "## Known limits",
        "\n".join(f"- {line.strip()}" for line in limits.strip().splitlines()),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _what(config: BundleConfig, data: Dataset) -> str:
    told = told_text(config)
    shape = f"{config.image.height}x{config.image.width}" if not isinstance(config.image, str) else "any size"
    levels = f"{config.num_levels} levels, {config.head} head" if config.num_levels else "a density of grey images"
    return f"{TITLES[config.architecture]} of {data.title}{told}: {shape}, {levels}. {layers_text(config.sizes)}"


def _samples_caption(config: BundleConfig, data: Dataset) -> str:
    if isinstance(config.evaluation, DensityFacts):
        return _density_caption(config.id, config.evaluation)
    if isinstance(config.conditioning, ByTags | ByEmbedding | ByMap):
        return condition_pictures(config, data)
    names = config.conditioning.names if isinstance(config.conditioning, ByClass) else ()
    num_images, columns = pictured(len(names))
    told = f"; columns: {', '.join(names)}" if len(names) == columns else ""
    below = " Below, the coarse images that they were drawn after." if config.architecture == "multi_scale" else ""
    return f"The first {num_images} samples of seed {SEED} at temperature 1, none left out{told}.{below}"


def _density_caption(own: str, facts: DensityFacts) -> str:
    others = "; below it ".join(c.model for c in facts.comparisons)
    lines = f" Above {own}; below it {others}." if others else ""
    return (
        f"The first {PICTURES_A_MODEL} samples of seed {SEED}, none left out, each of {PICTURE_SIDE}x{PICTURE_SIDE} "
        f"pixels cut out of a sample that is {PICTURE_MARGIN} pixels larger above, left and right, so that the edge of "
        f"the image does not show.{lines}"
    )


def _pixels(config: BundleConfig) -> str:
    if config.pixels is None:
        return ""
    return (
        "It is a density, and its unit is bit/px of a density: log2 p a pixel, for pixels scaled to [0, 1); higher is "
        "better. It may not stand beside the bits/dim of a model of levels. A pixel is a byte plus noise uniform on "
        "[0, 1), here and in training; so 8 less the rate is, on average over the noise, an upper bound on the code "
        "length of the bytes in bits/dim, and that may stand there. A drawn pixel is shown as the byte below it. "
        f"0.1 % of the training pixels lie below {config.pixels.low:.1f}, 0.2 % above {config.pixels.high:.1f}."
    )


def summary(facts: EvaluationFacts | DensityFacts) -> list[str]:
    """The figures, one a line."""
    return [f"{name}: {value}" for name, value in _rows(facts)]


def _figures(facts: EvaluationFacts | DensityFacts) -> str:
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in _rows(facts))


def _rows(facts: EvaluationFacts | DensityFacts) -> list[tuple[str, str]]:
    return _density_rows(facts) if isinstance(facts, DensityFacts) else _level_rows(facts)


def _density_rows(facts: DensityFacts) -> list[tuple[str, str]]:
    rows = [
        ("log-likelihood rate, all pixels", f"{_pm(facts.density_bits_per_pixel)} bit/px of a density"),
        (
            "the same, pixels that have all their neighbours",
            f"{_pm(facts.reachable_bits_per_pixel)} bit/px of a density",
        ),
        ("code length of the bytes, upper bound", f"{_pm(facts.bits_per_dim_bound)} bits per dimension"),
        ("measured on", f"{facts.data}, all {facts.num_images:,} images, whole, dequantised once, float32"),
    ]
    for other in facts.comparisons:
        told = f"{_pm(other.density_bits_per_pixel)} bit/px of a density"
        rows.append((f"{other.model}, the same images and noise, all pixels", told))
        rows.append((f"this model above {other.model}, image by image", f"{_pm(other.above)} bit/px"))
    return rows


def _pm(estimate: Estimate) -> str:
    return f"{estimate.mean:.4f} ± {estimate.standard_error:.4f}"


def _level_rows(facts: EvaluationFacts) -> list[tuple[str, str]]:
    nats, bits = facts.log_prob_nats, facts.bits_per_dim
    likelihood = "negative log-likelihood" + (", upper bound: all scales together" if facts.scales else "")
    return [
        *_scale_rows(facts.scales or ()),
        (likelihood, f"{-nats.mean:.2f} ± {nats.standard_error:.2f} nats an image"),
        ("the same", f"{bits.mean:.4f} ± {bits.standard_error:.4f} bits per dimension"),
        ("measured on", f"{facts.data}, all {facts.num_images:,} images, float32"),
        *_baseline_rows(facts.baselines),
        *_classifier_rows(facts.classifier),
        *condition_rows(facts.condition),
    ]


def _scale_rows(scales: tuple[ScaleFacts, ...]) -> list[tuple[str, str]]:
    given, rows = "", []
    for scale in scales:
        size = f"{scale.height}x{scale.width}"
        rows.append((f"the {size} image{given}", f"{_pm(scale.bits_per_dim)} bits for each of its own dimensions"))
        given = f", given the {size} one"
    return rows


def _baseline_rows(facts: Baselines | None) -> list[tuple[str, str]]:
    if facts is None:
        return []
    histogram, png = (f"{e.mean:.4f} ± {e.standard_error:.4f} bits per dimension" for e in (facts.histogram, facts.png))
    return [
        ("the same images as PNG files", png),
        ("the same under a histogram of every sub-pixel (of the training images, add-one smoothed)", histogram),
    ]


def _classifier_rows(facts: ClassifierFacts | None) -> list[tuple[str, str]]:
    if facts is None:
        return []
    asked = f"{facts.share_as_asked:.1%} of {facts.num_samples:,} samples"
    judge = f"a small CNN trained on real images, itself right on {facts.accuracy_on_test:.2%} of the test set"
    return [("named as asked", f"{asked}, by {judge}")]


def _commands(config: BundleConfig) -> str:
    lines = [f".venv/bin/python -m training evaluate checkpoints/{config.id}"]
    if isinstance(config.evaluation, EvaluationFacts) and config.evaluation.classifier:
        lines.append(f".venv/bin/python -m training classify checkpoints/{config.id}")
    told = f"± is the standard error of the mean. After `make install` {_recomputed(config)} recomputed by"
    return f"{told}\n\n```\n" + "\n".join(lines) + "\n```"


def _recomputed(config: BundleConfig) -> str:
    condition = config.evaluation.condition if isinstance(config.evaluation, EvaluationFacts) else None
    if condition is None or not (condition.recognition or condition.agreement):
        return "the figures are"
    return "the likelihoods (shares of samples are measured when the bundle is written) are"


def _training(config: BundleConfig, data: Dataset) -> str:
    facts = config.training
    images, split = "images", f" Its last {data.num_validation:,} training images were kept for validation."
    if config.pixels is not None:
        images, split = "random crops", " Validated on crops of images kept for that."
    return (
        f"Data: {data.title} (licence {facts.license}), fetched by `.venv/bin/python -m training data {data.name}`."
        f"{split} "
        f"{facts.steps:,} steps, {facts.images_seen:,} {images}, {facts.hours:.1f} hours on one shared CPU core, "
        f"seed {facts.seed}; everything else stands in `training/configs/{config.id}.toml`. The weights are an "
        f"exponential moving average.\n\n"
        f"```\n.venv/bin/python -m training fit training/configs/{config.id}.toml\n```"
    )
