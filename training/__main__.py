"""`python -m training data|fit|bundle|compare|evaluate|classify`: where the shipped weights come from."""

import argparse
import dataclasses
import sys
from pathlib import Path

from models.bundle_config import BundleError
from models.conditioning import ByClass
from models.facts import EvaluationFacts
from training.card import summary
from training.config import ConfigError, read_fit_config
from training.datasets import DATASETS, data_root, find, prepare
from training.fetch import DataError
from training.memory import keep_freed_memory


def main(arguments: list[str]) -> int:
    """Run one command; its exit status."""
    options = _parser().parse_args(arguments)
    keep_freed_memory()
    try:
        return int(options.run(options))
    except (BundleError, ConfigError, DataError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training", description=__doc__)
    parser.add_argument("--data", type=Path, default=data_root(), help="data directory ($SCANLINE_DATA, or data/)")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="where runs keep logs and checkpoints")
    commands = parser.add_subparsers(required=True)
    data = commands.add_parser("data", help="fetch a data set and check it")
    data.add_argument("name", choices=sorted(DATASETS))
    data.set_defaults(run=_data)
    fit = commands.add_parser("fit", help="train, or go on where a run was interrupted; then as `bundle`")
    bundle = commands.add_parser("bundle", help="evaluate the best checkpoint of a run and write its bundle")
    fit.set_defaults(run=_fit)
    bundle.set_defaults(run=_bundle)
    for command in (fit, bundle):
        command.add_argument("config", type=Path)
        command.add_argument("--checkpoints", type=Path, default=Path("checkpoints"), help="where bundles lie")
        command.add_argument("--skip-classifier", action="store_true", help="do not let the classifier name samples")
    fit.add_argument("--no-bundle", action="store_true", help="train only")
    compare = commands.add_parser("compare", help="print runs on the same images side by side, as a Markdown table")
    compare.add_argument("configs", type=Path, nargs="+")
    compare.add_argument("--curves", type=Path, help="write their validation curves to this SVG file")
    compare.set_defaults(run=_compare)
    for name, run, text in (
        ("evaluate", _evaluate, "recompute the likelihood of the test images and compare it with what the bundle says"),
        ("classify", _classify, "draw 1,000 samples and count those that a classifier names as asked"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("bundle", type=Path)
        command.add_argument("--write", action="store_true", help="store the measured figures in the bundle")
        command.set_defaults(run=run)
    return parser


def _data(options: argparse.Namespace) -> int:
    print(prepare(options.name, options.data))
    return 0


def _fit(options: argparse.Namespace) -> int:
    from training.fit import fit

    config = read_fit_config(options.config)
    prepare(config.data, options.data)
    start = read_fit_config(options.config.parent / f"{config.start_run}.toml") if config.start_run else None
    print(fit(config, options.runs, options.data, start=start))
    return 0 if options.no_bundle else _bundle(options)


def _bundle(options: argparse.Namespace) -> int:
    from training.ship import bundle_density, bundle_run
    from training.ship_conditioned import bundle_conditioned

    config = read_fit_config(options.config)
    prepare(config.data, options.data)
    if config.crop:
        compared = [read_fit_config(options.config.parent / f"{name}.toml") for name in config.compare]
        written = bundle_density(config, compared, options.runs, options.data, options.checkpoints)
    elif config.encoder or config.map or find(config.data).tag_names:
        written = bundle_conditioned(config, options.runs, options.data, options.checkpoints)
    else:
        written = bundle_run(config, options.runs, options.data, options.checkpoints, not options.skip_classifier)
    print(f"{options.checkpoints / written.id}:")
    for line in summary(written.evaluation):
        print(f"  {line}")
    return 0


def _compare(options: argparse.Namespace) -> int:
    from training.compare import compare

    configs = [read_fit_config(path) for path in options.configs]
    prepare(configs[0].data, options.data)
    table, curves = compare(configs, options.runs, options.data)
    print(table)
    if options.curves:
        options.curves.write_text(curves)
    return 0


def _evaluate(options: argparse.Namespace) -> int:
    from models.bundle import load_bundle
    from training.ship import data_of, recheck

    bundle = load_bundle(options.bundle)
    prepare(data_of(bundle).name, options.data)
    agrees = recheck(bundle, options.data, _limits(bundle.config.id) if options.write else None)
    return 0 if agrees or options.write else 1


def _classify(options: argparse.Namespace) -> int:
    from models.bundle import load_bundle
    from training.ship import data_of, judge_samples, rewrite

    bundle = load_bundle(options.bundle)
    data = data_of(bundle)
    prepare(data.name, options.data)
    if not isinstance(bundle.config.conditioning, ByClass):
        raise ConfigError(f"{bundle.config.id} is not told a class: its samples are asked to be none")
    if data.channels > 1:
        raise ConfigError(f"{bundle.config.id} draws in colour: the classifier knows grey images only")
    told = bundle.config.evaluation
    assert isinstance(told, EvaluationFacts)  # no density is conditional
    measured = judge_samples(bundle.model, data, options.data, options.runs)
    print(f"told {told.classifier}\nnow  {measured}")
    if options.write:
        evaluation = dataclasses.replace(told, classifier=measured)
        rewrite(bundle, evaluation, _limits(bundle.config.id))
    return 0


def _limits(bundle_id: str) -> str:
    return read_fit_config(Path(__file__).parent / "configs" / f"{bundle_id}.toml").limits


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
