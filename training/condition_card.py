"""What a card says of a model that is told tags, an embedding or a map."""

from models.bundle_config import BundleConfig
from models.conditioning import ByClass, ByEmbedding, ByMap, ByTags
from models.facts import ConditionFacts, EvaluationFacts
from training.condition_pictures import COLUMNS, LINES, NUM_PATHS
from training.datasets import Dataset
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
        case ByMap(what="image", level=level):
            return f", told in every layer the same image {2**level} times smaller: super-resolution"
        case ByMap(names=names):
            return f", told in every layer a label of every pixel: {', '.join(names or ())}"
        case _:
            return ""


def condition_rows(facts: ConditionFacts | None) -> list[tuple[str, str]]:
    """Rows of the table of figures."""
    if facts is None:
        return []
    without, gain = facts.bits_per_dim_without, facts.gain_nats
    rows = [
        (
            "the same images, the model told nothing (zeros, as for a share of them in training)",
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
    if made := facts.agreement:
        another = f"from that of another test image {made.another:.4g}"
        apart = f"{made.told:.4g}, {another}; {made.num_samples:,} samples"
        rows.append(("maps made of samples differ from the map they were told by", apart))
    return rows


def condition_pictures(config: BundleConfig, data: Dataset) -> str:
    """Captions of the pictures, with those that only such a card has."""
    first = f"Drawn with seed {SEED} at temperature 1, none left out."
    if isinstance(config.conditioning, ByTags):
        return f"{first} Lines told two tags and no more: {', '.join(map(' and '.join, data.shown_tags))}."
    if isinstance(config.conditioning, ByMap):
        return (
            f"{first} {LINES} lines of {COLUMNS}: what the model was told (enlarged, where it is smaller), "
            f"{COLUMNS - 2} samples given that, and the test image that it was made of. "
            f"{_map_rule(config.conditioning)}"
        )
    facts = config.evaluation.condition if isinstance(config.evaluation, EvaluationFacts) else None
    beside = ", beside it what a squared-error auto-encoder with the same encoder makes of it, then"
    drawn = beside if facts and facts.reconstruction else ", then"
    return (
        f"{first} {LINES} lines of {COLUMNS}: a test image{drawn} samples given its vector.\n\n"
        f"![paths](paths.png)\n\n"
        f"{NUM_PATHS} lines, each from one test image (left) to another (right): samples on the straight path between "
        f"their vectors, those of a line all with the same random numbers."
    )


def _map_rule(conditioning: ByMap) -> str:
    """How a map is made of an image, and how two maps are compared."""
    if conditioning.what == "labels":
        return (
            "A pixel is an edge where it differs from that to the right or below by at least a quarter of the highest "
            "level in some channel; two maps differ in a share of their places."
        )
    square = f"{2**conditioning.level}x{2**conditioning.level}"
    levels = f"two of them differ by so many levels of {conditioning.num_levels - 1}, on average"
    return f"The small image holds the mean of every {square} pixels, rounded; {levels}."
