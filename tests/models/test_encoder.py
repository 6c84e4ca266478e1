"""An encoder: what it makes of images, and how a bundle keeps it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from models.base import ModelError
from models.bundle import load_bundle
from models.bundle_config import BundleError
from models.encoder import Encoder
from tests.services import write_tiny_bundle


def encoder(normalised: bool = True) -> Encoder:
    torch.manual_seed(3)
    return Encoder(1, 4, 7, 6, size=5, widths=[4, 6], hidden=9, normalised=normalised).eval()


def images(count: int) -> Tensor:
    return torch.randint(0, 4, (count, 1, 7, 6), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


def test_normalised_vectors_have_length_one_and_others_do_not() -> None:
    with torch.no_grad():
        assert torch.allclose(encoder()(images(3)).norm(dim=1), torch.ones(3))
        assert not torch.allclose(encoder(normalised=False)(images(3)).norm(dim=1), torch.ones(3))


def test_an_image_alone_has_the_same_bytes_every_time_and_nearly_those_that_it_has_in_a_batch() -> None:
    net, batch = encoder(), images(9)
    alone = net.embed(batch[4])
    for other in batch:
        net.embed(other)
    assert net.embed(batch[4]).numpy().tobytes() == alone.numpy().tobytes()
    with torch.no_grad():
        torch.testing.assert_close(net(batch)[4], alone)


def test_the_vector_depends_on_every_pixel() -> None:
    net = encoder(normalised=False)
    pixels = images(20).float().requires_grad_()
    net(pixels).sum().backward()  # type: ignore[no-untyped-call]
    assert pixels.grad is not None and (pixels.grad != 0).any(0).all()  # some ReLU sleeps in every one of them


def test_an_image_of_another_size_is_refused() -> None:
    with pytest.raises(ModelError, match=r"x must be \[batch, 1, 7, 6\], not \(1, 1, 6, 7\)"):
        encoder().embed(torch.zeros(1, 6, 7))


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_tiny_bundle(tmp_path, "faces", embedding=5)
    return tmp_path / "faces"


def test_a_bundle_brings_its_encoder_back(bundle: Path) -> None:
    loaded = load_bundle(bundle)
    assert loaded.encoder is not None and loaded.encoder.size == loaded.model.context_size == 5
    stored = safetensors.torch.load_file(bundle / "model.safetensors")
    assert {name for name in stored if name.startswith("encoder.")} == {
        f"encoder.{part}.{kind}" for part in ("convolutions.0", "hidden", "out") for kind in ("weight", "bias")
    }
    for name, tensor in loaded.encoder.state_dict().items():
        assert torch.equal(tensor, stored[f"encoder.{name}"])
    assert not any(name.startswith("encoder.") for name in loaded.model.state_dict())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: c.pop("encoder"), "tensor encoder.convolutions.0.bias belongs to no part of the model"),
        (lambda c: c["encoder"].update(widths=[4, 4]), r"tensor encoder.convolutions.1.bias is missing \(2 in all\)"),
        (
            lambda c: c["encoder"].update(hidden=7),
            r"tensor encoder.hidden.bias has shape \(8,\), the sizes ask for \(7,\)",
        ),
        (lambda c: c["encoder"].update(widths=[]), "encoder.widths must be 1 to 8 numbers from 1 to 1024"),
        (lambda c: c["encoder"].update(hidden=0), "encoder.hidden must be 1 to 4096, not 0"),
        (lambda c: c.update(image="any"), "an encoder needs images of one size"),
        (
            lambda c: c.update(image={"height": 4096, "width": 4096}, encoder={"widths": [1024, 1], "hidden": 1}),
            "makes 4294967296 numbers of an image",
        ),
    ],
)
def test_an_encoder_that_is_not_as_told_is_refused(
    bundle: Path, change: Callable[[dict[str, Any]], object], reason: str
) -> None:
    config = json.loads((bundle / "config.json").read_text())
    change(config)
    (bundle / "config.json").write_text(json.dumps(config))
    with pytest.raises(BundleError, match=reason):
        load_bundle(bundle)
