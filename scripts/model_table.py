"""Print the README's table of hosted models from the bundles' own facts; with --write, put it into README.md.

python -m scripts.model_table [--write]
"""

import sys
from pathlib import Path

from models.bundle_config import BundleConfig, ByClass, Estimate, read_config

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- models: python -m scripts.model_table --write -->", "<!-- end of models -->"


def main() -> None:
    table = model_table(ROOT / "checkpoints")
    print(table)
    if "--write" in sys.argv[1:]:
        readme = ROOT / "README.md"
        readme.write_text(with_table(readme.read_text(), table))


def model_table(bundles: Path) -> str:
    """Markdown, one line a bundle, in the order of their ids."""
    configs = [read_config(config.parent) for config in sorted(bundles.glob("[!.]*/config.json"))]
    head = "| model | draws | test nats an image | bits/dim | named as asked | training |\n|---|---|---|---|---|---|"
    return "\n".join([head, *map(_line, configs)])


def with_table(text: str, table: str) -> str:
    """`text` with what stands between the two marks replaced."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{table}\n{END}{rest.split(END)[1]}"


def _line(config: BundleConfig) -> str:
    facts, training = config.evaluation, config.training
    size = "any size" if config.image == "any" else f"{config.image.height}x{config.image.width}"
    colour = " of RGB" if config.channels == 3 else ""
    by = f", {len(config.conditioning.names)} classes" if isinstance(config.conditioning, ByClass) else ""
    named = (
        "" if facts.classifier is None else f"{facts.classifier.share_as_asked:.1%} of {facts.classifier.num_samples}"
    )
    return (
        f"| `{config.id}` | {size}, {config.num_levels} levels{colour}{by} | {_estimate(facts.log_prob_nats, -1, 2)} "
        f"| {_estimate(facts.bits_per_dim, 1, 4)} | {named} | {training.steps} steps, {training.hours:.1f} h |"
    )


def _estimate(estimate: Estimate, sign: int, digits: int) -> str:
    return f"{sign * estimate.mean:.{digits}f} ± {estimate.standard_error:.{digits}f}"


if __name__ == "__main__":
    main()
