"""Runs on the same images side by side: the same steps, what each took, and how likely the test images became.

With `training/configs/ablation-residual.toml` and `ablation-plain.toml` it is the residual ablation of the PixelRNN
paper (van den Oord et al. 2016, arXiv 1601.06759, table 2): deep recurrent nets with and without residual connections.
"""

from collections.abc import Sequence
from pathlib import Path

from training.config import ConfigError, FitConfig
from training.curve import Point, curve_svg, read_curve
from training.datasets import load
from training.evaluate import estimate, scores
from training.ship import read_checkpoint

NUM_STAGES = 4
"""Validations that the table shows; the last one is the end."""


def compare(configs: Sequence[FitConfig], runs: Path, data_root: Path, progress: bool = True) -> tuple[str, str]:
    """A Markdown table of finished runs, and their validation curves as SVG.

    Raises ConfigError where the runs are not on the same images.
    """
    if len({config.data for config in configs}) > 1 or configs[0].crop:
        raise ConfigError("only models of levels on the same images are compared")
    if any(config.coarse_run for config in configs):
        raise ConfigError("a chain whose coarse net is of another run has no likelihood of its own to compare")
    curves = {config.id: read_curve(runs / config.id, "validation_nats") for config in configs}
    steps = _shared_steps(list(curves.values()))
    test = load(configs[0].data, data_root)["test"]
    header = ["run", "weights", "hours", *(f"validation, step {step:,}" for step in steps), "test, nats an image"]
    rows = [header, ["---"] * len(header)]
    for config in configs:
        model, facts = read_checkpoint(runs / config.id / "best.ckpt", config)
        nats = estimate(-scores(model, test, progress))
        weights = sum(parameter.numel() for parameter in model.parameters())
        seen = dict(curves[config.id])
        shown = [f"{seen[step]:.2f}" for step in steps]
        rows.append(
            [config.id, f"{weights:,}", f"{facts.hours:.2f}", *shown, f"{nats.mean:.2f} ± {nats.standard_error:.2f}"]
        )
    return "\n".join("| " + " | ".join(row) + " |" for row in rows), curve_svg(curves, "nats an image, validation")


def _shared_steps(curves: Sequence[Sequence[Point]]) -> list[int]:
    """NUM_STAGES steps at which all were validated, evenly apart, back from the last one."""
    steps = sorted(set.intersection(*({step for step, _ in curve} for curve in curves)))
    if not steps:
        raise ConfigError("these runs were never validated at the same step")
    return steps[:: -max(1, len(steps) // NUM_STAGES)][:NUM_STAGES][::-1]
