"""From a run to the bundle of a model that is told tags, what an encoder makes of an image, or a map."""

import dataclasses
import io
from pathlib import Path

import torch
from PIL import Image

from models.base import Model
from models.bundle import write_bundle
from models.bundle_config import BundleConfig, ImageShape
from models.conditioning import ByEmbedding, ByMap, ByTags, Conditioning, EncoderSizes
from models.encoder import Encoder
from models.facts import ConditionFacts, ReconstructionFacts
from training.card import card_text
from training.checkpoint import part_of
from training.classifier import share_named, trained_classifier
from training.condition_pictures import asked_and_drawn, by_tag, map_and_drawn, paths
from training.conditioned import NUM_ASKED, NUM_SAMPLES, agreement, measure_conditioned, recognition
from training.config import FitConfig
from training.contexts import embedded
from training.curve import averaged, curve_svg, read_curve
from training.datasets import Dataset, Split, find, load
from training.encoders import build_encoder, metric_encoder
from training.maps import splits_told
from training.mse import MSEAutoEncoder, train_mse
from training.samples import draw_samples
from training.ship import described, read_checkpoint


def bundle_conditioned(
    config: FitConfig, runs: Path, data_root: Path, checkpoints: Path, progress: bool = True
) -> BundleConfig:
    """Evaluate the best checkpoint of a run and write it as `checkpoints/<id>`; the bundle's config."""
    run, data = runs / config.id, find(config.data)
    conditioning = _conditioning(config, data)
    splits = splits_told(load(config.data, data_root), conditioning, data.num_levels)
    model, training = read_checkpoint(run / "best.ckpt", config)
    encoder = _encoder(config, splits, run)
    evaluation = measure_conditioned(model, encoder, splits, data.num_levels, f"{data.title}, test set", progress)
    condition, images = evaluation.condition, splits["test"].images
    assert condition is not None
    mse = None
    if isinstance(conditioning, ByMap):
        told_again = agreement(model, conditioning, splits["test"], progress)
        condition = dataclasses.replace(condition, agreement=told_again)
    if encoder is not None:
        told = recognition(model, encoder, images[:NUM_ASKED], progress)
        condition = dataclasses.replace(condition, recognition=told)
        if config.encoder and config.encoder.metric is None:
            fresh = build_encoder(config, *images.shape[2:])
            mse = train_mse(fresh, splits["train"], config.seed, progress=progress)
            condition = _with_reconstructions(condition, model, encoder, mse, splits, runs)
    pictures = _pictures(model, encoder, mse, splits["test"], conditioning, data)
    bundle = BundleConfig(
        **described(config, model),
        image=ImageShape(*images.shape[2:]),
        head="bernoulli" if model.num_levels == 2 else "categorical",
        conditioning=conditioning,
        encoder=EncoderSizes(config.encoder.widths, config.encoder.hidden) if config.encoder else None,
        training=training,
        evaluation=dataclasses.replace(evaluation, condition=condition),
    )
    curves = {name: averaged(read_curve(run, f"{name}_nats")) for name in ("train", "validation")}
    extras = {**pictures, "curve.svg": curve_svg(curves, "nats an image").encode()}
    card = card_text(bundle, config.limits)
    return write_bundle(checkpoints / config.id, model, bundle, card, extras, encoder)


def _conditioning(config: FitConfig, data: Dataset) -> Conditioning:
    if config.map is not None:
        return config.map.conditioning(data.channels, data.num_levels)
    if config.encoder is None:
        return ByTags("tags", data.tag_names)
    return ByEmbedding("embedding", config.encoder.size, normalised=config.encoder.metric is not None)


def _encoder(config: FitConfig, splits: dict[str, Split], run: Path) -> Encoder | None:
    """The trained one: kept beside the run, or half of what was fitted."""
    if config.encoder is None:
        return None
    if config.encoder.metric is not None:
        return metric_encoder(config, splits["train"], run)
    encoder = build_encoder(config, *splits["train"].images.shape[2:])
    encoder.load_state_dict(part_of(torch.load(run / "best.ckpt", weights_only=True), "encoder."))
    return encoder.eval()


def _with_reconstructions(
    condition: ConditionFacts,
    model: Model,
    encoder: Encoder,
    mse: MSEAutoEncoder,
    splits: dict[str, Split],
    cache: Path,
) -> ConditionFacts:
    test = Split(splits["test"].images[:NUM_SAMPLES], splits["test"].labels[:NUM_SAMPLES])
    classifier = trained_classifier(splits["train"], cache, True, model.num_levels)
    height, width = test.images.shape[2:]
    drawn = draw_samples(model, embedded(test, encoder).labels, height, width, progress=True)
    with torch.inference_mode():
        rebuilt = mse(test.images).round()
    kept, kept_by_mse, itself = (
        round(share_named(classifier, images, test.labels, model.num_levels), 4)
        for images in (drawn, rebuilt, test.images)
    )
    told = ReconstructionFacts(kept, kept_by_mse, itself, len(test))
    return dataclasses.replace(condition, reconstruction=told)


def _pictures(
    model: Model,
    encoder: Encoder | None,
    mse: MSEAutoEncoder | None,
    test: Split,
    conditioning: Conditioning,
    data: Dataset,
) -> dict[str, bytes]:
    """The pictures of the card by the names of their files."""
    images = test.images
    if isinstance(conditioning, ByMap):
        return {"samples.png": _png(map_and_drawn(model, conditioning, test))}
    if encoder is None:
        assert isinstance(conditioning, ByTags)
        height, width = images.shape[2:]
        return {"samples.png": _png(by_tag(model, conditioning.names, data.shown_tags, height, width))}
    return {
        "samples.png": _png(asked_and_drawn(model, encoder, mse, images)),
        "paths.png": _png(paths(model, encoder, images)),
    }


def _png(picture: Image.Image) -> bytes:
    content = io.BytesIO()
    picture.save(content, "PNG", optimize=True)
    return content.getvalue()
