"""The model card of a bundle: its README.md, from its facts."""

from models.bundle_config import Baselines, BundleConfig, ByClass, ClassifierFacts, EvaluationFacts
from training.datasets import DATASETS, Dataset
from training.descriptions import TITLES, layers_text
from training.samples import SEED, pictured

_COMPLETIONS = (
    "Completions: what lies before the hole in raster order conditions the drawing; what lies after it does not. So a "
    "completion is an exact sample given the known pixels if the hole is all that follows a pixel, and only then."
)


def card_text(config: BundleConfig, limits: str) -> str:
    """README.md of the bundle. `limits`: known limits, one a line."""
    data = next(d for d in DATASETS.values() if d.title == config.training.data)
    sections = [
        f"# {config.id}",
        _what(config, data),
        "![samples](samples.png)",
        _samples_caption(config),
        "## Figures",
        _figures(config.evaluation),
        _commands(config),
        _COMPLETIONS,
        "## Training",
        _training(config, data),
        "![learning curve](curve.svg)",
        "## Known limits",
        "\n".join(f"- {line.strip()}" for line in limits.strip().splitlines()),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _what(config: BundleConfig, data: Dataset) -> str:
    told = ", told the class of the image in every layer" if isinstance(config.conditioning, ByClass) else ""
    shape = f"{config.image.height}x{config.image.width}" if not isinstance(config.image, str) else "any size"
    return (
        f"{TITLES[config.architecture]} of {data.title}{told}: {shape}, {config.num_levels} levels, "
        f"{config.head} head. {layers_text(config.sizes)}"
    )


def _samples_caption(config: BundleConfig) -> str:
    names = config.conditioning.names if isinstance(config.conditioning, ByClass) else ()
    num_images, columns = pictured(len(names))
    told = f"; columns: {', '.join(names)}" if len(names) == columns else ""
    return f"The first {num_images} samples of seed {SEED} at temperature 1, none left out{told}."


def _figures(facts: EvaluationFacts) -> str:
    nats, bits = facts.log_prob_nats, facts.bits_per_dim
    rows = [
        ("negative log-likelihood", f"{-nats.mean:.2f} ± {nats.standard_error:.2f} nats an image"),
        ("the same", f"{bits.mean:.4f} ± {bits.standard_error:.4f} bits per dimension"),
        ("measured on", f"{facts.data}, all {facts.num_images:,} images, float32"),
        *_baseline_rows(facts.baselines),
        *_classifier_rows(facts.classifier),
    ]
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)


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
    lines = [f"python -m training evaluate checkpoints/{config.id}"]
    if config.evaluation.classifier:
        lines.append(f"python -m training classify checkpoints/{config.id}")
    return "± is the standard error of the mean. The figures are recomputed by\n\n```\n" + "\n".join(lines) + "\n```"


def _training(config: BundleConfig, data: Dataset) -> str:
    facts = config.training
    return (
        f"Data: {data.title} (licence {facts.license}), fetched by `python -m training data {data.name}`. Its last "
        f"{data.num_validation:,} training images were kept for validation. {facts.steps:,} steps, "
        f"{facts.images_seen:,} images, {facts.hours:.1f} hours on one shared CPU core, seed {facts.seed}; "
        f"everything else stands in `training/configs/{config.id}.toml`. The weights are an exponential moving "
        f"average.\n\n"
        f"```\npython -m training fit training/configs/{config.id}.toml\n"
        f"python -m training bundle training/configs/{config.id}.toml\n```"
    )
