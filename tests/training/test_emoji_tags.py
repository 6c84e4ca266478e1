"""Tags of emoji, and a run on them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from models.bundle import load_bundle
from models.conditioning import ByTags
from models.facts import EvaluationFacts
from tests.training.data import write_tiny
from training.config import FitConfig
from training.datasets import find, load
from training.emoji import Drawing, split_files
from training.emoji_tags import SHOWN_TAGS, TAGS, tags_of
from training.fit import Fit, fit
from training.idx import read_idx
from training.ship import recheck
from training.ship_conditioned import bundle_conditioned

COOK = Drawing("twitter", "a.png", "People & Body", "person-role", "1F9D1-1F3FD-200D-1F373", ("1F3FD",))
CONFIG = FitConfig(
    id="tiny",
    data="emoji32-tags",
    conditional=True,
    sizes={"width": 3, "dilations": [1], "head_width": 6},
    seed=1,
    batch_size=4,
    max_steps=10,
    learning_rate=1e-2,
    validate_every=10,
    num_validation=8,
    bf16=False,
    compile=False,
    context_dropout=0.5,
    limits="it knows nothing",
)


def test_a_drawing_has_its_group_its_subgroup_its_skin_and_its_maker() -> None:
    assert {TAGS[k] for k in np.flatnonzero(tags_of(COOK))} == {"people", "person-role", "medium skin", "twemoji"}
    rare = replace(COOK, subgroup="hotel", tones=())
    assert {TAGS[k] for k in np.flatnonzero(tags_of(rare))} == {"people", "twemoji"}
    assert len(set(TAGS)) == len(TAGS) == 79 and {tag for shown in SHOWN_TAGS for tag in shown} <= set(TAGS)


def test_the_files_hold_all_tags_of_every_picture() -> None:
    picture = np.zeros((2, 2, 3), np.uint8)
    drawings = [replace(COOK, code_points=f"1F{k:03X}", vendor="google", tones=()) for k in range(60)]
    pictures = {drawing: picture + k for k, drawing in enumerate(drawings)}
    files = {name: read_idx(content) for name, content in split_files(pictures, tags_of).items()}
    labels = np.concatenate([files["train-labels"], files["test-labels"]])
    assert labels.shape == (60, len(TAGS)) and (labels == tags_of(drawings[0])).all()


def test_of_some_images_the_model_is_told_nothing_and_of_others_not_all_tags() -> None:
    module = Fit(CONFIG)
    images, labels = torch.zeros(400, 3, 5, 5, dtype=torch.uint8), torch.ones(400, len(TAGS), dtype=torch.int64)
    torch.manual_seed(0)
    told = module.train().context(images, labels)
    assert told is not None
    shares = told.mean(1)
    assert 0.4 < (shares == 0).double().mean() < 0.6
    assert 0.4 < shares[shares > 0].mean() < 0.6
    assert (module.eval().context(images, labels) == 1).all()  # type: ignore[union-attr]


@pytest.mark.filterwarnings("ignore::UserWarning:lightning")
@pytest.mark.filterwarnings("ignore:.*LeafSpec.*")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_run_on_tags_becomes_a_bundle_that_names_them(tmp_path: Path) -> None:
    write_tiny(tmp_path / "data", "emoji32-tags", num_levels=256)
    fit(CONFIG, tmp_path / "runs", tmp_path / "data", progress=False)
    bundle_conditioned(CONFIG, tmp_path / "runs", tmp_path / "data", tmp_path / "checkpoints", progress=False)
    bundle = load_bundle(tmp_path / "checkpoints" / "tiny")
    assert bundle.config.conditioning == ByTags("tags", TAGS) and bundle.encoder is None
    facts = bundle.config.evaluation
    assert isinstance(facts, EvaluationFacts) and facts.condition is not None and facts.baselines is not None
    assert recheck(bundle, tmp_path / "data", progress=False)
    assert (
        "Lines told two tags and no more: smileys and face-smiling, smileys and heart"
        in (bundle.directory / "README.md").read_text()
    )
    assert load("emoji32-tags", tmp_path / "data")["test"].labels.shape[1] == len(find("emoji32-tags").tag_names)
