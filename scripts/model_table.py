"""Print the README's table of hosted models from the bundles' own facts; with --write, put it into README.md.

python -m scripts.model_table [--write]
"""

import sys
from pathlib import Path

from models.bundle_config import BundleConfig, read_config
from models.conditioning import ByClass, ByEmbedding, ByMap, ByTags
from models.facts import DensityFacts, Estimate, EvaluationFacts

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- models: python -m scripts.model_table --write -->", "<!-- end of models -->"


def main() -> None:
    table = model_table(ROOT / "checkpoints")
    print(table)
    if "--write" in sys.argv[1:]:
        readme = ROOT / "README.md"
        readme.write_text(with_table(readme.read_text(), table))


def model_table(bundles: Path) -> str:
    """Markdown, one line a bundle, in the order of their ids; densities, whose unit is another, in a table below."""
    configs = [read_config(config.parent) for config in sorted(bundles.glob("[!.]*/config.json"))]
    lines = [_line(c, c.evaluation) for c in configs if isinstance(c.evaluation, EvaluationFacts)]
    densities = [_density_line(c, c.evaluation) for c in configs if isinstance(c.evaluation, DensityFacts)]
    head = "| model | draws | test nats an image | bits/dim | named as asked | training |\n|---|---|---|---|---|---|"
    density_head = (
        "\n| density | test rate, bit/px of a density (higher is better) | code length at most, bits/dim "
        "| above | training |\n|---|---|---|---|---|"
    )
    return "\n".join([head, *lines, *([density_head, *densities] if densities else [])])


def with_table(text: str, table: str) -> str:
    """`text` with what stands between the two marks replaced."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"


def _density_line(config: BundleConfig, facts: DensityFacts) -> str:
    training = config.training
    above = ", ".join(f"{_estimate(other.above, 1, 3)} above `{other.model}`" for other in facts.comparisons)
    return (
        f"| `{config.id}` | {_estimate(facts.density_bits_per_pixel, 1, 4)} "
        f"| {_estimate(facts.bits_per_dim_bound, 1, 4)} | {above} | {training.steps} steps, {training.hours:.1f} h |"
    )


def _told(config: BundleConfig) -> str:
    match config.conditioning:
        case ByClass(names=names):
            return f", {len(names)} classes"
        case ByTags(names=names):
            return f", {len(names)} tags"
        case ByEmbedding(size=size):
            return f", told {size} numbers of an image"
        case ByMap(what="image", level=level):
            return f", told it {2**level} times smaller"
        case ByMap(num_levels=num_labels):
            return f", told {num_labels} labels"
        case _:
            return ""


def _line(config: BundleConfig, facts: EvaluationFacts) -> str:
    training = config.training
    size = "any size" if config.image == "any" else f"{config.image.height}x{config.image.width}"
    colour = " of RGB" if config.channels == 3 else ""
    by = _told(config)
    named = (
        "" if facts.classifier is None else f"{facts.classifier.share_as_asked:.1%} of {facts.classifier.num_samples}"
    )
    at_most = "≤ " if facts.scales else ""
    return (
        f"| `{config.id}` | {size}, {config.num_levels} levels{colour}{by} "
        f"| {at_most}{_estimate(facts.log_prob_nats, -1, 2)} "
        f"| {at_most}{_estimate(facts.bits_per_dim, 1, 4)} | {named} | {training.steps} steps, {training.hours:.1f} h |"
    )


def _estimate(estimate: Estimate, sign: int, digits: int) -> str:
    return f"{sign * estimate.mean:.{digits}f} ± {estimate.standard_error:.{digits}f}"


if __name__ == "__main__":
    main()
