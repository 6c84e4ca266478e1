"""What a card says of a model that is told tags or an embedding."""

from models.bundle_config import BundleConfig
from models.conditioning import ByClass, ByEmbedding, ByTags
from models.facts import ConditionFacts, EvaluationFacts
from training.condition_pictures import COLUMNS, LINES, NUM_PATHS, SHOWN_TAGS
from training.samples import SEED


def told_text(config: BundleConfig) -> str:
    """What the model is told, as a part of a sentence; empty for an unconditional one."""
    match config.conditioning:
        case ByClass():
            return ", told the class of the image in every layer"
        case ByTags():
            return f", told any of {len(config.conditioning.names)} tags of the image in every layer"
        case ByEmbedding(size=size, normalised=True):
            return f", told in every layer an embedding of length 1, {size} numbers, by an encoder in the bundle"
        case ByEmbedding(size=size):
            return f", told in every layer a code of {size} numbers by an encoder that was trained with it"
        case _:
            return ""


def condition_rows(facts: ConditionFacts | None) -> list[tuple[str, str]]:
    """Rows of the table of figures."""
    if facts is None:
        return []
    without, gain = facts.bits_per_dim_without, facts.gain_nats
    rows = [
        (
            "the same images, the model told nothing (a vector of zeros, as for a share of them in training)",
            f"{without.mean:.4f} ± {without.standard_error:.4f} bits per dimension",
        ),
        ("what an image gains by being told", f"{gain.mean:.2f} ± {gain.standard_error:.2f} nats"),
    ]
    if told := facts.recognition:
        asked = f"{told.share:.1%} of {told.num_samples:,} samples, by chance {1 / told.among:.1%}"
        rows.append((f"samples nearest to the image asked for, among {told.among} test images", asked))
    if kept := facts.reconstruction:
        judge = (
            f"by a small CNN, itself right on {kept.accuracy_on_test:.1%} of the same {kept.num_images:,} test images"
        )
        rows.append(("reconstructions that keep the class", f"{kept.class_kept:.1%}, {judge}"))
        rows.append(("the same of a squared-error auto-encoder with the same encoder", f"{kept.class_kept_by_mse:.1%}"))
    return rows


def condition_pictures(config: BundleConfig) -> str:
    """Captions of the pictures, with those that only such a card has."""
    first = f"Drawn with seed {SEED} at temperature 1, none left out."
    if isinstance(config.conditioning, ByTags):
        return f"{first} A line a tag, told that tag alone: {', '.join(SHOWN_TAGS)}."
    facts = config.evaluation.condition if isinstance(config.evaluation, EvaluationFacts) else None
    beside = ", beside it what a squared-error auto-encoder with the same encoder makes of it, then"
    drawn = beside if facts and facts.reconstruction else ", then"
    return (
        f"{first} {LINES} lines of {COLUMNS}: a test image{drawn} samples given its vector.\n\n"
        f"![paths](paths.png)\n\n"
        f"{NUM_PATHS} lines, each from one test image (left) to another (right): samples on the straight path between "
        f"their vectors, those of a line all with the same random numbers."
    )
