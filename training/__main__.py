"""`python -m training data|fit|bundle|measure|evaluate|classify`: where the shipped weights come from."""

import argparse
import dataclasses
import sys
from pathlib import Path

from models.bundle_config import BundleError
from training.config import ConfigError, read_fit_config
from training.datasets import DATASETS, data_root, prepare
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
    fit = commands.add_parser("fit", help="train, or go on where a run was interrupted; then as `bundle`, or `measure`")
    bundle = commands.add_parser("bundle", help="evaluate the best checkpoint of a run and write its bundle")
    fit.set_defaults(run=_fit)
    bundle.set_defaults(run=_bundle)
    for command in (fit, bundle):
        command.add_argument("config", type=Path)
        command.add_argument("--checkpoints", type=Path, default=Path("checkpoints"), help="where bundles lie")
        command.add_argument("--skip-classifier", action="store_true", help="do not let the classifier name samples")
    fit.add_argument("--no-bundle", action="store_true", help="train only")
    measure = commands.add_parser("measure", help="bit/px of whole test images, of the best checkpoints of runs")
    measure.add_argument("configs", type=Path, nargs="+", help="each is also compared with the first")
    measure.set_defaults(run=_measure)
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
    print(fit(config, options.runs, options.data))
    if config.crop:
        return 0 if options.no_bundle else _measure(argparse.Namespace(**vars(options), configs=[options.config]))
    return 0 if options.no_bundle else _bundle(options)


def _bundle(options: argparse.Namespace) -> int:
    from training.ship import bundle_run

    config = read_fit_config(options.config)
    if config.crop:
        raise ConfigError(f"{config.id} is a density: `measure` it")
    prepare(config.data, options.data)
    written = bundle_run(config, options.runs, options.data, options.checkpoints, not options.skip_classifier)
    print(f"{options.checkpoints / written.id}: {written.evaluation.log_prob_nats}, {written.evaluation.classifier}")
    return 0


def _measure(options: argparse.Namespace) -> int:
    from training.greys import load_greys
    from training.measure import difference, rates, summary
    from training.ship import read_checkpoint

    measured = {}
    for path in options.configs:
        config = read_fit_config(path)
        if not config.crop:
            raise ConfigError(f"{config.id} is no density: `bundle` measures it")
        model, _ = read_checkpoint(options.runs / config.id / "best.ckpt", config)
        prepare(config.data, options.data)
        measured[config.id] = rates(model, load_greys(config.data, options.data)["test"], progress=True)
        print(summary(config.id, measured[config.id]))
    first, *others = measured
    for other in others:
        print(f"{first} above {other}: {difference(measured[first], measured[other])} bit/px")
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
    if not bundle.model.context_size:
        raise ConfigError(f"{bundle.config.id} is not conditional: its samples are asked to be nothing")
    if data.channels > 1:
        raise ConfigError(f"{bundle.config.id} draws in colour: the classifier knows grey images only")
    measured = judge_samples(bundle.model, data, options.data, options.runs)
    print(f"told {bundle.config.evaluation.classifier}\nnow  {measured}")
    if options.write:
        evaluation = dataclasses.replace(bundle.config.evaluation, classifier=measured)
        rewrite(bundle, evaluation, _limits(bundle.config.id))
    return 0


def _limits(bundle_id: str) -> str:
    return read_fit_config(Path(__file__).parent / "configs" / f"{bundle_id}.toml").limits


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
