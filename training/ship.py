"""From a run to a bundle, and from a bundle's facts told to facts measured."""

import dataclasses
import io
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.base import Model
from models.bundle import Bundle, write_bundle
from models.bundle_config import (
    CARD_FILE,
    CONFIG_FILE,
    FORMAT,
    WEIGHTS_FILE,
    BundleConfig,
    ImageShape,
)
from models.conditioning import ByClass, Unconditional
from models.facts import ClassifierFacts, DensityFacts, EvaluationFacts, TrainingFacts
from models.multi_scale import MultiScale
from models.sizes import SIZES
from models.strict_json import parse
from training.baselines import baselines
from training.card import COARSE_FILE, card_text
from training.checkpoint import part_of
from training.classifier import share_named, trained_classifier
from training.conditioned import measured_again
from training.config import ConfigError, FitConfig
from training.curve import averaged, curve_svg, read_curve
from training.datasets import DATASETS, Dataset, find, load
from training.density import compared_bundles, density_picture, measure_density, pixels_of
from training.evaluate import chain_facts, disagreements, evaluation_facts, scale_scores, scores
from training.fit import build_model
from training.greys import load_greys
from training.maps import splits_told
from training.samples import classes_in_turn, draw_samples, draw_scaled_samples, grid, pictured

NUM_JUDGED = 1_000


def bundle_run(config: FitConfig, runs: Path, data_root: Path, checkpoints: Path, judge: bool = True) -> BundleConfig:
    """Evaluate the best checkpoint of a run and write it as `checkpoints/<id>`; the bundle's config.

    `judge`: also let the classifier name samples, for a conditional model of grey images.
    """
    run = runs / config.id
    model, training = read_checkpoint(run / "best.ckpt", config)
    if config.coarse_run:
        take_coarse_net(model, runs / config.coarse_run / "best.ckpt")
    data = find(config.data)
    evaluation = measure(model, data, data_root)
    if judge and model.context_size and data.channels == 1:
        evaluation = dataclasses.replace(evaluation, classifier=judge_samples(model, data, data_root, runs))
    height, width = load(data.name, data_root)["test"].images.shape[-2:]
    bundle = BundleConfig(
        **described(config, model),
        image=ImageShape(height, width),
        head="bernoulli" if model.num_levels == 2 else "categorical",
        conditioning=ByClass("class", data.class_names) if model.context_size else Unconditional("none"),
        training=training,
        evaluation=evaluation,
    )
    curves = {name: averaged(read_curve(run, f"{name}_nats")) for name in ("train", "validation")}
    unit = "nats an image, given its coarse image" if config.coarse_run else "nats an image"
    extras = pictures(model, height, width) | {"curve.svg": curve_svg(curves, unit).encode()}
    return write_bundle(checkpoints / config.id, model, bundle, card_text(bundle, config.limits), extras)


def bundle_density(
    config: FitConfig, compared: Sequence[FitConfig], runs: Path, data_root: Path, checkpoints: Path
) -> BundleConfig:
    """The same for a density, beside the best checkpoints of other runs on the same data."""
    model, training = read_checkpoint(runs / config.id / "best.ckpt", config)
    others = {other.id: read_checkpoint(runs / other.id / "best.ckpt", other)[0] for other in compared}
    bundle = BundleConfig(
        **described(config, model),
        image="any",
        head="mcgsm",
        conditioning=Unconditional("none"),
        training=training,
        evaluation=measure_density(model, others, find(config.data), data_root),
        pixels=pixels_of(load_greys(config.data, data_root)["train"]),
    )
    curves = {config.id: averaged(read_curve(runs / config.id, "validation_bits_per_dim"))}
    curves |= {name: averaged(read_curve(runs / name, "validation_bits_per_dim")) for name in others}
    extras = {
        "samples.png": density_picture([model, *others.values()]),
        "curve.svg": curve_svg(curves, "bits/dim, an upper bound; validation crops").encode(),
    }
    return write_bundle(checkpoints / config.id, model, bundle, card_text(bundle, config.limits), extras)


def described(config: FitConfig, model: Model) -> dict[str, Any]:
    """What any bundle says of the model itself."""
    return {
        "format": FORMAT,
        "id": config.id,
        "architecture": config.architecture,
        "sizes": parse(SIZES[config.architecture], model.sizes()),
        "channels": model.channels,
        "num_levels": model.num_levels,
        "weights_sha256": "",
    }


def read_checkpoint(path: Path, config: FitConfig) -> tuple[Model, TrainingFacts]:
    """The averaged weights of a checkpoint, and the facts of the training so far."""
    if not path.exists():
        raise ConfigError(f"{path} is not there: the run has not been validated yet")
    checkpoint = torch.load(path, weights_only=True)
    model = build_model(config)
    model.load_state_dict(part_of(checkpoint, "model."))
    steps, data = checkpoint["global_step"], find(config.data)
    facts = TrainingFacts(
        data=data.title,
        license=data.license,
        seed=config.seed,
        steps=steps,
        images_seen=steps * config.batch_size,
        hours=round(checkpoint["hours"], 2),
        date=datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat(),
    )
    return model.eval(), facts


def take_coarse_net(model: Model, path: Path) -> None:
    """Give a chain the net of a run on the coarse images, as its checkpoint at `path` has it."""
    if not path.exists():
        raise ConfigError(f"{path} is not there: fit the coarse run first")
    if not isinstance(model, MultiScale):
        raise ConfigError(f"a {type(model).__name__} has no coarse net")
    try:
        model.small.load_state_dict(part_of(torch.load(path, weights_only=True), "model."))
    except RuntimeError as error:
        raise ConfigError(f"{path} is of a net of other sizes: {error}") from error


def measure(model: Model, data: Dataset, data_root: Path, progress: bool = True) -> EvaluationFacts:
    """Likelihood of the test images, and of images in colour what other codes need."""
    splits = load(data.name, data_root)
    test = splits["test"]
    told = f"{data.title}, test set"
    if len(stages := model.stages()) > 1:
        facts = chain_facts(scale_scores(model, test, progress), stages, test.images.shape, told)
    else:
        facts = evaluation_facts(scores(model, test, progress), test.images[0].numel(), told)
    if data.channels == 1:
        return facts
    return dataclasses.replace(facts, baselines=baselines(splits, data.num_levels))


def judge_samples(model: Model, data: Dataset, data_root: Path, cache: Path, progress: bool = True) -> ClassifierFacts:
    """Draw NUM_JUDGED samples, the classes in turn, and let the classifier of the real images name them."""
    splits = load(data.name, data_root)
    classifier = trained_classifier(splits["train"], cache, progress, data.num_levels)
    labels = classes_in_turn(NUM_JUDGED, model.context_size)
    samples = draw_samples(model, labels, 28, 28, progress=progress)
    return ClassifierFacts(
        accuracy_on_test=round(
            share_named(classifier, splits["test"].images, splits["test"].labels, data.num_levels), 4
        ),
        share_as_asked=round(share_named(classifier, samples, labels, data.num_levels), 4),
        num_samples=NUM_JUDGED,
    )


def recheck(bundle: Bundle, data_root: Path, limits: str | None = None, progress: bool = True) -> bool:
    """Measure the likelihood again, print it beside what the bundle says; whether the two agree but for rounding.

    With `limits` (see `card_text`) the measured facts replace the told ones.
    """
    told = bundle.config.evaluation
    measured = _measured_again(bundle, data_root, progress)
    for field in dataclasses.fields(measured):
        if field.name not in ("score_quantiles", "classifier"):
            name = field.name
            print(f"{name:24} told {getattr(told, name)}\n{'':24} now  {getattr(measured, name)}")
    differences = disagreements(told, measured)
    print("\n".join(differences) or "what the bundle says is right")
    if limits is not None:
        rewrite(bundle, measured, limits)
    return not differences


def _measured_again(bundle: Bundle, data_root: Path, progress: bool) -> EvaluationFacts | DensityFacts:
    """What a bundle tells, from its weights; what needs more than them (a classifier, a model that is not here) stays
    as it is told."""
    told, data = bundle.config.evaluation, data_of(bundle)
    if isinstance(told, EvaluationFacts) and told.condition is not None:
        splits = splits_told(load(data.name, data_root), bundle.config.conditioning, data.num_levels)
        return measured_again(bundle, told, splits, data.num_levels, progress)
    if isinstance(told, EvaluationFacts):
        return dataclasses.replace(measure(bundle.model, data, data_root, progress), classifier=told.classifier)
    measured = measure_density(bundle.model, compared_bundles(bundle), data, data_root, progress)
    now = {comparison.model: comparison for comparison in measured.comparisons}
    return dataclasses.replace(measured, comparisons=tuple(now.get(c.model, c) for c in told.comparisons))


def rewrite(bundle: Bundle, evaluation: EvaluationFacts | DensityFacts, limits: str) -> BundleConfig:
    """The same bundle with other evaluation facts, in its config and its card."""
    config = dataclasses.replace(bundle.config, evaluation=evaluation)
    own = {WEIGHTS_FILE, CONFIG_FILE, CARD_FILE}
    extras = {path.name: path.read_bytes() for path in bundle.directory.iterdir() if path.name not in own}
    return write_bundle(bundle.directory, bundle.model, config, card_text(config, limits), extras, bundle.encoder)


def data_of(bundle: Bundle) -> Dataset:
    """The data set that a bundle was trained on."""
    found = [d for d in DATASETS.values() if d.title == bundle.config.training.data]
    if not found:
        raise ConfigError(f"no data set here is called {bundle.config.training.data!r}")
    return found[0]


def pictures(model: Model, height: int, width: int) -> dict[str, bytes]:
    """PNG of the first samples, by file; each column of a conditional model is a class.

    Of a chain there is one more, of the coarse images that they were drawn after.
    """
    num_images, columns = pictured(model.context_size)
    labels = classes_in_turn(num_images, model.context_size)
    *coarse, samples = draw_scaled_samples(model, labels, height, width, progress=True)
    files = {"samples.png": _sheet(samples, model, columns)}
    for images in coarse:
        zoom = -(-width // images.shape[-1])
        enlarged = images.repeat_interleave(zoom, 2).repeat_interleave(zoom, 3)[:, :, :height, :width]
        files[COARSE_FILE] = _sheet(enlarged, model, columns)
    return files


def _sheet(samples: Tensor, model: Model, columns: int) -> bytes:
    content = io.BytesIO()
    grid(samples, model.num_levels, columns).save(content, "PNG", optimize=True)
    return content.getvalue()
