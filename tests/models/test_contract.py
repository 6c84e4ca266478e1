"""What must hold for every model, exactly, in float64."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch

from engine.engine import Engine, Interpreter
from engine.request import Drawn, DrawRequest, RowDrawn
from models.base import Model, ModelError
from tests import devices
from tests.models.reach import dependence
from tests.models.tiny import DENSITIES, TINY, Tiny, told_of

SIZES = [(1, 1), (1, 7), (6, 1), (5, 7)]
every_interpreter = pytest.mark.parametrize("interpreter", ["auto", "torch"])
every_model = pytest.mark.parametrize("tiny", (TINY | DENSITIES).values(), ids=(TINY | DENSITIES).keys())
every_discrete_model = pytest.mark.parametrize("tiny", TINY.values(), ids=TINY.keys())


def random_images(model: Model, batch: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, model.channels, height, width)
    if not model.num_levels:
        return 2 + 2 * torch.randn(shape, generator=generator)
    return torch.randint(0, model.num_levels, shape, generator=generator, dtype=torch.uint8)


def every_image(model: Model, tiny: Tiny) -> torch.Tensor:
    shape = (model.channels, tiny.height, tiny.width)
    values = itertools.product(range(model.num_levels), repeat=int(np.prod(shape)))
    return torch.tensor(list(values), dtype=torch.uint8).view(-1, *shape)


def draw(model: Model, requests: list[DrawRequest], interpreter: Interpreter, num_slots: int = 4) -> dict[str, Drawn]:
    engine = Engine(model.program(), num_slots, devices.DEVICE, interpreter=interpreter)
    for request in requests:
        engine.add(request)
    drawn: dict[str, Drawn] = {}
    while engine.busy:
        drawn |= {o.id: o for o in engine.step() if isinstance(o, Drawn)}
    return drawn


def sample_request(
    tiny: Tiny, model: Model, name: str, height: int, width: int, seed: int = 1, sample: int = 0
) -> DrawRequest:
    context = tiny.context(model, 1, height, width)
    return DrawRequest(name, name, height, width, seed, sample, **told_of(None if context is None else context[0]))


@every_discrete_model
def test_the_probabilities_of_all_images_sum_to_one(tiny: Tiny) -> None:
    model = tiny.model()
    images = every_image(model, tiny)
    for index in range(max(1, model.context_size)):
        context = tiny.context(model, index + 1, tiny.height, tiny.width)
        context = None if context is None else context[index].expand(len(images), *context.shape[1:])
        with torch.no_grad():
            total = model.log_prob(images, context).exp().sum()
        assert total.item() == pytest.approx(1, abs=1e-12)


@every_model
@pytest.mark.parametrize("size", [(4, 5), (5, 3)])
def test_a_sub_pixel_depends_on_those_that_the_kernels_reach_and_on_no_other(tiny: Tiny, size: tuple[int, int]) -> None:
    """The dependence matrix over several random models and images (a ReLU may sleep in one of them)."""
    moved = np.any([dependence_of(tiny.model(seed), tiny, *size, seed) for seed in range(4)], 0)
    assert not np.tril(moved, -1).any(), "a later sub-pixel moves an earlier one"
    np.testing.assert_array_equal(np.triu(moved, 1), dependence(tiny.model(), *size))


def dependence_of(model: Model, tiny: Tiny, height: int, width: int, seed: int) -> np.ndarray:
    """[changed, seen]: which log p move, by a bit or more, when one sub-pixel of a random image is changed."""
    num_dims = height * width * model.channels
    images = random_images(model, 1, height, width, seed).expand(num_dims + 1, -1, -1, -1).clone()
    raster = images.permute(0, 2, 3, 1).reshape(num_dims + 1, num_dims)
    index = torch.arange(num_dims)
    raster[index + 1, index] += 1
    if model.num_levels:
        raster %= model.num_levels
    images = raster.view(-1, 1, height, width, model.channels).permute(0, 1, 4, 2, 3)
    with torch.no_grad():  # one by one: in a batch the last bit of an element depends on its place
        maps = torch.cat([model.log_prob_map(image, tiny.context(model, 1, height, width)) for image in images])
    outputs = maps.permute(0, 2, 3, 1).reshape(num_dims + 1, num_dims).numpy()
    return outputs[1:] != outputs[:1]


@every_model
@pytest.mark.parametrize("size", SIZES)
def test_the_step_program_equals_log_prob(tiny: Tiny, size: tuple[int, int]) -> None:
    model = tiny.model()
    images = random_images(model, 3, *size)
    context = tiny.context(model, 3, *size)
    with torch.no_grad():
        expected = model.log_prob_map(images, context).sum((1, 3)).numpy()
    engine = Engine(model.program(), 4, devices.DEVICE, torch.float64)
    for k in range(3):
        levels = images[k].permute(1, 2, 0).numpy()
        vector = told_of(None if context is None else context[k])
        engine.add(DrawRequest(str(k), str(k), *size, 0, 0, known=levels, mask=np.ones(size, bool), **vector))
    rows = np.zeros((3, size[0]))
    while engine.busy:
        for output in engine.step():
            if isinstance(output, RowDrawn):
                rows[int(output.id), output.row] = output.log_prob
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-10)


@every_discrete_model
@every_interpreter
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_samples_are_as_frequent_as_their_probability(tiny: Tiny, temperature: float, interpreter: Interpreter) -> None:
    """Pearson's chi-square over all images of two pixels against p^(1/T), renormalised in every conditional."""
    model, num_samples = tiny.model(), 4000
    height, width = 1, 2
    requests = [sample_request(tiny, model, str(k), height, width, seed=5, sample=k) for k in range(num_samples)]
    requests = [dataclasses.replace(r, group="", temperature=temperature) for r in requests]
    drawn = draw(model, requests, interpreter, num_slots=512)
    images = every_image(model, dataclasses.replace(tiny, height=height, width=width))
    index = {tuple(image.permute(1, 2, 0).flatten().tolist()): k for k, image in enumerate(images)}
    counts = np.zeros(len(images))
    for output in drawn.values():
        counts[index[tuple(output.values.ravel().tolist())]] += 1
    expected = tempered_probabilities(tiny, model, images, temperature) * num_samples
    common = expected > 1
    chi_square = ((counts - expected)[common] ** 2 / expected[common]).sum()
    degrees = common.sum()
    assert chi_square < degrees + 5 * np.sqrt(2 * degrees), "samples do not follow the model's distribution"
    assert counts[~common].sum() < expected[~common].sum() + 5 * np.sqrt(expected[~common].sum() + 1)


def tempered_probabilities(tiny: Tiny, model: Model, images: torch.Tensor, temperature: float) -> np.ndarray:
    """prod_i p(x_i | x_<i)^(1/T) / sum_v p(v | x_<i)^(1/T), by trying every level in every place."""
    context = tiny.context(model, 1, *images.shape[2:])
    context = None if context is None else context.expand(len(images), *context.shape[1:])
    total = torch.zeros(len(images), dtype=torch.float64)
    for k, r, c in np.ndindex(*images.shape[1:]):
        scores = []
        for level in range(model.num_levels):
            changed = images.clone()
            changed[:, k, r, c] = level
            with torch.no_grad():
                scores.append(model.log_prob_map(changed, context)[:, k, r, c] / temperature)
        table = torch.log_softmax(torch.stack(scores, 1), 1)
        total += table.gather(1, images[:, k, r, c].long()[:, None])[:, 0]
    return total.exp().numpy()


@every_model
@every_interpreter
def test_alone_in_a_batch_and_resumed_are_the_same_bytes(tiny: Tiny, interpreter: Interpreter) -> None:
    model, (height, width) = tiny.model(), (6, 5)
    request = sample_request(tiny, model, "a", height, width, seed=9, sample=2)
    alone = draw(model, [request], interpreter)["a"]
    others = [sample_request(tiny, model, str(k), height, width, seed=k) for k in range(7)]
    for num_slots in (4, 8, 16):
        company = draw(model, [*others[:5], request, *others[5:]], interpreter, num_slots)["a"]
        assert company.values.tobytes() == alone.values.tobytes()
        assert company.log_prob == alone.log_prob
    for rows in range(1, height + 1):
        mask = np.zeros((height, width), bool)
        mask[:rows] = True
        resumed = dataclasses.replace(request, known=alone.values, mask=mask)
        assert draw(model, [*others[:2], resumed], interpreter)["a"].values.tobytes() == alone.values.tobytes()
        assert draw(model, [resumed], interpreter)["a"].log_prob == alone.log_prob


@every_model
def test_every_parameter_gets_a_gradient(tiny: Tiny) -> None:
    model = tiny.model()
    images = random_images(model, 8, 6, 7)
    model.log_prob(images, tiny.context(model, 8, 6, 7)).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@every_model
def test_an_image_of_another_shape_or_a_missing_context_is_refused(tiny: Tiny) -> None:
    model = tiny.model()
    with pytest.raises(ModelError, match="x must be"):
        model.log_prob(torch.zeros(1, 2, 4, 4, dtype=torch.uint8), tiny.context(model, 1, 4, 4))
    wrong = None if tiny.context(model, 1) is not None else torch.zeros(1, 3, dtype=torch.float64)
    with pytest.raises(ModelError, match="context"):
        model.log_prob(random_images(model, 1, 4, 4), wrong)
