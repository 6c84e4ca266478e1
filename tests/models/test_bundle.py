import dataclasses
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from models.bundle import load_bundle, write_bundle
from models.bundle_config import BundleConfig, BundleError, ImageShape, check_config, read_config
from models.conditioning import ByClass, ByMap, conditioning_faults
from models.facts import Estimate, EvaluationFacts, TrainingFacts
from models.gated_pixelcnn import GatedPixelCNN
from models.registry import ARCHITECTURES
from models.sizes import SIZES, GatedPixelCNNSizes, faults
from models.strict_json import as_json, parse
from tests.models.tiny import TINY

Tensors = dict[str, Tensor]
Json = dict[str, Any]


def tiny_model() -> GatedPixelCNN:
    torch.manual_seed(0)
    return GatedPixelCNN(1, 4, width=2, dilations=[1, 2], head_width=4, num_classes=2)


def tiny_config(model: GatedPixelCNN) -> BundleConfig:
    return BundleConfig(
        format=1,
        id="tiny",
        architecture="gated_pixelcnn",
        sizes=parse(GatedPixelCNNSizes, model.sizes()),
        image=ImageShape(5, 6),
        channels=1,
        num_levels=4,
        head="categorical",
        conditioning=ByClass("class", ("cat", "dog")),
        weights_sha256="",
        training=TrainingFacts("noise", "none", 0, 10, 40, 0.1),
        evaluation=EvaluationFacts(
            "noise", 7, Estimate(-9.0, 0.1), Estimate(1.5, 0.1), tuple(float(q) for q in range(-101, 0))
        ),
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    model = tiny_model()
    write_bundle(tmp_path / "tiny", model, tiny_config(model), "# tiny\n", {"samples.png": b"picture"})
    return tmp_path / "tiny"


def change_config(bundle: Path, change: Callable[[Json], object]) -> None:
    config = json.loads((bundle / "config.json").read_text())
    change(config)
    (bundle / "config.json").write_text(json.dumps(config))


def put_weights(bundle: Path, content: bytes) -> None:
    """Other weights with the right hash."""
    (bundle / "model.safetensors").write_bytes(content)
    change_config(bundle, lambda c: c.update(weights_sha256=hashlib.sha256(content).hexdigest()))


def change_tensors(bundle: Path, change: Callable[[Tensors], object]) -> None:
    tensors = safetensors.torch.load((bundle / "model.safetensors").read_bytes())
    change(tensors)
    put_weights(bundle, safetensors.torch.save(tensors))


def test_a_bundle_is_loaded_as_written(bundle: Path) -> None:
    loaded = load_bundle(bundle)
    x, context = torch.randint(0, 4, (3, 1, 5, 6)), torch.eye(2)[[0, 1, 0]]
    assert torch.equal(loaded.model.log_prob(x, context), tiny_model().log_prob(x, context))
    assert not loaded.model.training
    assert loaded.config == dataclasses.replace(tiny_config(tiny_model()), weights_sha256=loaded.config.weights_sha256)
    assert sorted(p.name for p in bundle.iterdir()) == ["README.md", "config.json", "model.safetensors", "samples.png"]


@pytest.mark.parametrize("name", ["pixelcnn", "row-lstm", "diagonal-bilstm"])
def test_a_bundle_of_another_architecture_is_loaded_as_written(name: str, tmp_path: Path) -> None:
    tiny = next(tiny for key, tiny in TINY.items() if key.startswith(name) and "by class" in key)
    model, architecture = tiny.model().float(), next(a for a, cls in ARCHITECTURES.items() if cls is type(tiny.make()))
    config = dataclasses.replace(
        tiny_config(tiny_model()),
        architecture=architecture,
        sizes=parse(SIZES[architecture], model.sizes()),
        num_levels=3,
        conditioning=ByClass("class", ("cat", "dog", "cow")),
    )
    write_bundle(tmp_path / "tiny", model, config, "# tiny\n")
    loaded = load_bundle(tmp_path / "tiny").model
    assert type(loaded) is type(model) and loaded.sizes() == model.sizes()
    x, context = torch.randint(0, 3, (3, 1, 5, 6)), torch.eye(3)
    assert torch.equal(loaded.log_prob(x, context), model.log_prob(x, context))


def test_sizes_of_another_architecture_are_refused(bundle: Path) -> None:
    change_config(bundle, lambda c: c.update(architecture="row_lstm"))
    with pytest.raises(BundleError, match=r"unknown field sizes\.dilations"):
        load_bundle(bundle)


def test_writing_again_replaces_the_bundle_and_leaves_nothing_beside_it(bundle: Path) -> None:
    model = tiny_model()
    torch.nn.init.zeros_(model.logits.bias)
    write_bundle(bundle, model, tiny_config(model), "# tiny, again\n")
    assert torch.equal(load_bundle(bundle).model.state_dict()["logits.bias"], torch.zeros(4))
    assert [p.name for p in bundle.parent.iterdir()] == ["tiny"]
    assert not (bundle / "samples.png").exists()


def test_a_config_that_contradicts_itself_is_not_written(tmp_path: Path) -> None:
    model = tiny_model()
    with pytest.raises(BundleError, match="num_levels is 5 but sizes"):
        write_bundle(tmp_path / "tiny", model, dataclasses.replace(tiny_config(model), num_levels=5), "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t.pop("logits.bias"), "tensor logits.bias is missing"),
        (lambda t: t.update(extra=torch.zeros(1)), "tensor extra belongs to no part of the model"),
        (
            lambda t: t.update({"logits.bias": torch.zeros(5)}),
            r"logits.bias has shape \(5,\), the sizes ask for \(4,\)",
        ),
        (lambda t: t.update({"logits.bias": torch.zeros(4).half()}), "tensor logits.bias is F16, it must be F32"),
        (lambda t: t["logits.bias"].fill_(float("nan")), "tensor logits.bias holds values that are not finite"),
        (lambda t: t["logits.bias"].fill_(float("inf")), "tensor logits.bias holds values that are not finite"),
    ],
)
def test_wrong_tensors_are_refused(bundle: Path, change: Callable[[Tensors], object], reason: str) -> None:
    change_tensors(bundle, change)
    with pytest.raises(BundleError, match=reason):
        load_bundle(bundle)


def test_exchanged_weights_are_refused_by_their_hash(bundle: Path) -> None:
    content = bytearray((bundle / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (bundle / "model.safetensors").write_bytes(content)
    with pytest.raises(BundleError, match=r"has sha256 .*, config.json says .*: damaged or exchanged"):
        load_bundle(bundle)


@pytest.mark.parametrize("cut", [0, 4, 100, -1])
def test_a_truncated_file_is_refused_even_with_the_right_hash(bundle: Path, cut: int) -> None:
    put_weights(bundle, (bundle / "model.safetensors").read_bytes()[:cut])
    with pytest.raises(BundleError, match="is no safetensors file"):
        load_bundle(bundle)


def test_a_pickle_is_refused(bundle: Path, tmp_path: Path) -> None:
    torch.save(tiny_model().state_dict(), tmp_path / "pickle")
    put_weights(bundle, (tmp_path / "pickle").read_bytes())
    with pytest.raises(BundleError, match="is no safetensors file"):
        load_bundle(bundle)


def test_a_net_larger_than_its_weights_is_refused_before_it_is_built(bundle: Path) -> None:
    def grow(config: Json) -> None:
        config["sizes"] |= {"width": 1024, "head_width": 4096, "dilations": [1] * 36, "kernel": 31}

    change_config(bundle, grow)
    with pytest.raises(BundleError, match="is missing"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_missing_file_is_named(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    with pytest.raises(BundleError, match=f"{name} cannot be read: No such file"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_file_larger_than_memory_is_refused_before_it_is_read(bundle: Path, name: str) -> None:
    os.truncate(bundle / name, 1 << 40)
    with pytest.raises(BundleError, match=f"{name} has {1 << 40} bytes, more than"):
        load_bundle(bundle)


@pytest.mark.parametrize("name", ["model.safetensors", "config.json"])
def test_a_pipe_in_place_of_a_file_is_not_waited_for(bundle: Path, name: str) -> None:
    (bundle / name).unlink()
    os.mkfifo(bundle / name)
    with pytest.raises(BundleError, match=f"{name} is no regular file"):
        load_bundle(bundle)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c.update(format=2), "format must be 1, not 2"),
        (lambda c: c.update(licence="none"), "unknown field licence"),
        (lambda c: c.pop("evaluation"), "field evaluation is missing"),
        (lambda c: c["sizes"].pop("width"), "field sizes.width is missing"),
        (lambda c: c["sizes"].update(width="2"), "sizes.width must be an integer, not '2'"),
        (lambda c: c["sizes"].update(width=10**9), "sizes.width must be 1 to 1024"),
        (lambda c: c["sizes"].update(dilations=[0]), "each of sizes.dilations must be 1 to 256, not 0"),
        (lambda c: c["sizes"].update(kernel=4), "kernel sizes must be odd"),
        (
            lambda c: c["sizes"].update(width=64, kernel=31, dilations=[256]),
            "sizes.dilations reach over 1887436800 numbers beside an image, more than 16777216",
        ),
        (lambda c: c["sizes"].update(dilations=[256] * 65), "sizes.dilations reach over 17039360 numbers"),
        (lambda c: c["sizes"].update(dropout=1.0), r"sizes.dropout must be in \[0, 1\)"),
        (lambda c: c.update(channels=3), "channels is 3 but sizes.channels is 1; they must be equal"),
        (lambda c: c.update(num_levels=2), "num_levels is 2 but sizes.num_levels is 4"),
        (lambda c: c.update(head="bernoulli"), "head must be 'categorical' for num_levels 4, not 'bernoulli'"),
        (
            lambda c: c.update(architecture="diffusion"),
            "architecture must be 'gated_pixelcnn' or 'pixel_cnn' or .*, not 'diffusion'",
        ),
        (lambda c: c.update(image="some"), "image must be 'any', not 'some'"),
        (lambda c: c["image"].update(height=0), "image.height must be 1 to 4096, not 0"),
        (lambda c: c.update(conditioning={"kind": "none"}), "has 0 classes but sizes.num_classes is 2"),
        (lambda c: c["conditioning"].update(names=["cat", "cat"]), "conditioning.names must be different"),
        (lambda c: c["conditioning"].update(names=[]), "conditioning.names must name the classes"),
        (lambda c: c["conditioning"].update(kind="map"), "field conditioning.what is missing"),
        (lambda c: c["conditioning"].update(kind="maps"), "conditioning.kind must be 'none' or 'class' or 'tags' or"),
        (lambda c: c.update(conditioning={"kind": "tags", "names": ["cat"]}), "has 1 tags but sizes.num_classes is 2"),
        (lambda c: c.update(conditioning={"kind": "embedding", "size": 0, "normalised": True}), "size must be 1 to"),
        (lambda c: c.update(conditioning={"kind": "embedding", "size": 3, "normalised": True}), "has 3 numbers but"),
        (lambda c: c.update(encoder={"widths": [2], "hidden": 3}), "an encoder needs a conditioning of kind 'embed"),
        (lambda c: c["evaluation"]["score_quantiles"].reverse(), "must be 101 numbers in increasing order"),
        (lambda c: c["evaluation"]["score_quantiles"].pop(), "must be 101 numbers in increasing order"),
        (lambda c: c["training"].update(hours=10**400), "training.hours must be a number of 64 bits, not 1000"),
        (lambda c: c["conditioning"].update(names=["cat", "\ud800"]), r"names\[1\] must be text that UTF-8 can hold"),
        (lambda c: c["evaluation"]["log_prob_nats"].update(mean=float("nan")), "log_prob_nats.mean must be finite"),
        (lambda c: c.update(weights_sha256="0"), "weights_sha256 must be 64 hexadecimal digits"),
        (lambda c: c.update(id="other"), "id 'other' must be the name of the folder, 'tiny'"),
        (lambda c: c.update(id="../tiny"), "id must be 1 to 64 of a-z"),
        (lambda c: c.update(id="/etc"), "id must be 1 to 64 of a-z"),
        (lambda c: c.update(id="tiny\n"), "id must be 1 to 64 of a-z"),
        (lambda c: c.update(id="-tiny"), "id must be 1 to 64 of a-z"),
        (lambda c: c.update(id="a" * 65), "id must be 1 to 64 of a-z"),
    ],
)
def test_a_wrong_config_is_refused(bundle: Path, change: Callable[[Json], object], reason: str) -> None:
    change_config(bundle, change)
    with pytest.raises(BundleError, match=reason):
        load_bundle(bundle)


def told_a_map(change: Callable[[Json], object]) -> BundleConfig:
    """The config of a model that is told a map, changed."""
    sizes = {"channels": 2, "level": 0, "width": 3, "kernel": 3}
    model = GatedPixelCNN(1, 4, width=2, dilations=[1, 2], head_width=4, given_map=sizes)
    told = as_json(dataclasses.replace(tiny_config(model), conditioning=ByMap("map", "labels", 0, 1, 2, ("off", "on"))))
    change(told)
    return parse(BundleConfig, told, types={"sizes": GatedPixelCNNSizes, "evaluation": EvaluationFacts})


def test_a_bundle_of_a_model_that_is_told_a_map_is_loaded_as_written(tmp_path: Path) -> None:
    config = dataclasses.replace(told_a_map(lambda c: None), id="tiny")
    model = GatedPixelCNN(**as_json(config.sizes))
    write_bundle(tmp_path / "tiny", model, config, "# tiny\n")
    loaded = load_bundle(tmp_path / "tiny")
    assert loaded.config.conditioning == config.conditioning and loaded.model.sizes() == model.sizes()
    x, given = torch.randint(0, 4, (3, 1, 5, 6)), torch.rand(3, 2, 5, 6)
    assert torch.equal(loaded.model.log_prob(x, given), model.eval().log_prob(x, given))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c.update(conditioning={"kind": "none"}), "'map' and sizes.given_map come together"),
        (lambda c: c["sizes"].pop("given_map"), "'map' and sizes.given_map come together"),
        (lambda c: c["conditioning"].update(level=1), "conditioning.level is 1 but sizes.given_map.level is 0"),
        (lambda c: c["conditioning"].update(num_levels=3), "tells 3 numbers of a place but sizes.given_map"),
        (lambda c: c["conditioning"].update(num_levels=1), "conditioning.num_levels must be 2 to 256, not 1"),
        (lambda c: c["conditioning"].update(channels=3), "conditioning.channels must be 1, or for an image 3, not 3"),
        (lambda c: c["conditioning"].update(names=["on", "on"]), "conditioning.names must be 2 different names"),
        (lambda c: c["conditioning"].update(what="image", channels=1), "conditioning.names must be 0 different names"),
        (lambda c: c["sizes"]["given_map"].update(channels=300), "sizes.given_map.channels must be 1 to 256, not 300"),
        (lambda c: c.update(encoder={"widths": [2], "hidden": 3}), "an encoder needs a conditioning of kind 'embed"),
    ],
)
def test_a_map_that_contradicts_the_sizes_is_refused(change: Callable[[Json], object], reason: str) -> None:
    config = told_a_map(change)
    given = config.sizes.given_map if isinstance(config.sizes, GatedPixelCNNSizes) else None
    told = (config.conditioning, config.sizes.num_classes, given, config.encoder, False)
    assert any(reason in fault for fault in [*faults(config.sizes), *conditioning_faults(*told)])
    with pytest.raises(BundleError):
        check_config(dataclasses.replace(config, weights_sha256="0" * 64))


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 200_000, b'{"format": ' + b"1" * 5_000 + b"}"]
)
def test_a_config_that_is_no_object_is_refused(bundle: Path, content: bytes) -> None:
    (bundle / "config.json").write_bytes(content)
    with pytest.raises(BundleError, match=r"config\.json"):
        read_config(bundle)


def test_an_image_of_any_size_is_said_so(bundle: Path) -> None:
    change_config(bundle, lambda c: c.update(image="any"))
    assert read_config(bundle).image == "any"


def test_reading_the_config_needs_no_torch(bundle: Path) -> None:
    probe = (
        "import pathlib, sys; from models.bundle_config import read_config; "
        "read_config(pathlib.Path(sys.argv[1])); sys.exit('torch' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", probe, bundle], check=True)
