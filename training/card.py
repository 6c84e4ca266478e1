"""The model card of a bundle: its README.md, from its facts."""

from models.bundle_config import BundleConfig, ByClass, ClassifierFacts, EvaluationFacts
from training.datasets import DATASETS, Dataset


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
        "## Training",
        _training(config, data),
        "![learning curve](curve.svg)",
        "## Known limits",
        "\n".join(f"- {line.strip()}" for line in limits.strip().splitlines()),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _what(config: BundleConfig, data: Dataset) -> str:
    sizes = config.sizes
    told = ", told the class of the image in every layer" if isinstance(config.conditioning, ByClass) else ""
    shape = f"{config.image.height}x{config.image.width}" if not isinstance(config.image, str) else "any size"
    return (
        f"A Gated PixelCNN (van den Oord et al. 2016, arXiv 1606.05328) of {data.title}{told}: {shape}, "
        f"{config.num_levels} levels, {config.head} head. {len(sizes.dilations) + 1} gated layers of width "
        f"{sizes.width} ({sizes.first_kernel}x{sizes.first_kernel}, then {sizes.kernel}x{sizes.kernel} with dilations "
        f"{', '.join(map(str, sizes.dilations))}), no blind spot."
    )


def _samples_caption(config: BundleConfig) -> str:
    if not isinstance(config.conditioning, ByClass):
        return "The first 100 samples of seed 2016 at temperature 1, none left out."
    names = ", ".join(config.conditioning.names)
    return f"The first 100 samples of seed 2016 at temperature 1, none left out; columns: {names}."


def _figures(facts: EvaluationFacts) -> str:
    nats, bits = facts.log_prob_nats, facts.bits_per_dim
    rows = [
        ("negative log-likelihood", f"{-nats.mean:.2f} ± {nats.standard_error:.2f} nats an image"),
        ("the same", f"{bits.mean:.4f} ± {bits.standard_error:.4f} bits per dimension"),
        ("measured on", f"{facts.data}, all {facts.num_images:,} images, float32"),
        *_classifier_rows(facts.classifier),
    ]
    return "| | |\n|---|---|\n" + "\n".join(f"| {name} | {value} |" for name, value in rows)


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
        f"5,000 training images were kept for validation. {facts.steps:,} steps, {facts.images_seen:,} images, "
        f"{facts.hours:.1f} hours on one shared CPU core, seed {facts.seed}; everything else stands in "
        f"`training/configs/{config.id}.toml`. The weights are an exponential moving average.\n\n"
        f"```\npython -m training fit training/configs/{config.id}.toml\n"
        f"python -m training bundle training/configs/{config.id}.toml\n```"
    )
