"""From a run to a bundle, and from a bundle's facts told to facts measured."""

import dataclasses
import io
from pathlib import Path

import torch

from models.base import Model
from models.bundle import Bundle, write_bundle
from models.bundle_config import (
    CARD_FILE,
    CONFIG_FILE,
    FORMAT,
    WEIGHTS_FILE,
    BundleConfig,
    ByClass,
    ClassifierFacts,
    EvaluationFacts,
    ImageShape,
    TrainingFacts,
    Unconditional,
)
from models.sizes import SIZES
from models.strict_json import parse
from training.baselines import baselines
from training.card import card_text
from training.classifier import share_named, trained_classifier
from training.config import ConfigError, FitConfig
from training.curve import averaged, curve_svg, read_curve
from training.datasets import DATASETS, Dataset, find, load
from training.evaluate import disagreements, evaluation_facts, scores
from training.fit import build_model
from training.samples import classes_in_turn, draw_samples, grid, pictured

NUM_JUDGED = 1_000


def bundle_run(config: FitConfig, runs: Path, data_root: Path, checkpoints: Path, judge: bool = True) -> BundleConfig:
    """Evaluate the best checkpoint of a run and write it as `checkpoints/<id>`; the bundle's config.

    `judge`: also let the classifier name samples, for a conditional model of grey images.
    """
    run = runs / config.id
    model, training = read_checkpoint(run / "best.ckpt", config)
    data = find(config.data)
    evaluation = measure(model, data, data_root)
    if judge and model.context_size and data.channels == 1:
        evaluation = dataclasses.replace(evaluation, classifier=judge_samples(model, data, data_root, runs))
    height, width = load(data.name, data_root)["test"].images.shape[-2:]
    bundle = BundleConfig(
        format=FORMAT,
        id=config.id,
        architecture=config.architecture,
        sizes=parse(SIZES[config.architecture], model.sizes()),
        image=ImageShape(height, width),
        channels=model.channels,
        num_levels=model.num_levels,
        head="bernoulli" if model.num_levels == 2 else "categorical",
        conditioning=ByClass("class", data.class_names) if model.context_size else Unconditional("none"),
        weights_sha256="",
        training=training,
        evaluation=evaluation,
    )
    extras = {"samples.png": picture(model, height, width), "curve.svg": _curve(run).encode()}
    return write_bundle(checkpoints / config.id, model, bundle, card_text(bundle, config.limits), extras)


def read_checkpoint(path: Path, config: FitConfig) -> tuple[Model, TrainingFacts]:
    """The averaged weights of a checkpoint, and the facts of the training so far."""
    if not path.exists():
        raise ConfigError(f"{path} is not there: the run has not been validated yet")
    checkpoint = torch.load(path, weights_only=True)
    model = build_model(config)
    model.load_state_dict({name.removeprefix("model."): value for name, value in checkpoint["state_dict"].items()})
    steps, data = checkpoint["global_step"], find(config.data)
    facts = TrainingFacts(
        data=data.title,
        license=data.license,
        seed=config.seed,
        steps=steps,
        images_seen=steps * config.batch_size,
        hours=round(checkpoint["hours"], 2),
    )
    return model.eval(), facts


def measure(model: Model, data: Dataset, data_root: Path, progress: bool = True) -> EvaluationFacts:
    """Likelihood of the test images, and of images in colour what other codes need."""
    splits = load(data.name, data_root)
    test = splits["test"]
    facts = evaluation_facts(scores(model, test, progress), test.images[0].numel(), f"{data.title}, test set")
    if data.channels == 1:
        return facts
    return dataclasses.replace(facts, baselines=baselines(splits, data.num_levels))


def judge_samples(model: Model, data: Dataset, data_root: Path, cache: Path, progress: bool = True) -> ClassifierFacts:
    """Draw NUM_JUDGED samples, the classes in turn, and let the classifier of the real images name them."""
    splits = load(data.name, data_root)
    classifier = trained_classifier(splits["train"], cache, progress)
    labels = classes_in_turn(NUM_JUDGED, model.context_size)
    samples = draw_samples(model, labels, 28, 28, progress=progress)
    return ClassifierFacts(
        accuracy_on_test=round(share_named(classifier, splits["test"].images, splits["test"].labels), 4),
        share_as_asked=round(share_named(classifier, samples, labels), 4),
        num_samples=NUM_JUDGED,
    )


def recheck(bundle: Bundle, data_root: Path, limits: str | None = None, progress: bool = True) -> bool:
    """Measure the likelihood again, print it beside what the bundle says; whether the two agree but for rounding.

    With `limits` (see `card_text`) the measured facts replace the told ones.
    """
    told = bundle.config.evaluation
    measured = measure(bundle.model, data_of(bundle), data_root, progress)
    measured = dataclasses.replace(measured, classifier=told.classifier)
    for name in ("data", "num_images", "log_prob_nats", "bits_per_dim", "baselines"):
        print(f"{name:14} told {getattr(told, name)}\n{'':14} now  {getattr(measured, name)}")
    differences = disagreements(told, measured)
    print("\n".join(differences) or "what the bundle says is right")
    if limits is not None:
        rewrite(bundle, measured, limits)
    return not differences


def rewrite(bundle: Bundle, evaluation: EvaluationFacts, limits: str) -> BundleConfig:
    """The same bundle with other evaluation facts, in its config and its card."""
    config = dataclasses.replace(bundle.config, evaluation=evaluation)
    own = {WEIGHTS_FILE, CONFIG_FILE, CARD_FILE}
    extras = {path.name: path.read_bytes() for path in bundle.directory.iterdir() if path.name not in own}
    return write_bundle(bundle.directory, bundle.model, config, card_text(config, limits), extras)


def data_of(bundle: Bundle) -> Dataset:
    """The data set that a bundle was trained on."""
    found = [d for d in DATASETS.values() if d.title == bundle.config.training.data]
    if not found:
        raise ConfigError(f"no data set here is called {bundle.config.training.data!r}")
    return found[0]


def picture(model: Model, height: int, width: int) -> bytes:
    """PNG of the first samples; each column of a conditional model is a class."""
    num_images, columns = pictured(model.context_size)
    samples = draw_samples(model, classes_in_turn(num_images, model.context_size), height, width, progress=True)
    content = io.BytesIO()
    grid(samples, model.num_levels, columns).save(content, "PNG", optimize=True)
    return content.getvalue()


def _curve(run: Path) -> str:
    curves = {name: averaged(read_curve(run, f"{name}_nats")) for name in ("train", "validation")}
    return curve_svg({name: curve for name, curve in curves.items() if curve}, "nats an image")
