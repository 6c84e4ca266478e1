"""What must hold for every model, exactly, in float64."""

import itertools

import numpy as np
import pytest
import torch

from engine.engine import Engine
from engine.request import Drawn, DrawRequest, RowDrawn
from models.base import Model, ModelError
from tests.models.tiny import TINY, Tiny

SIZES = [(1, 1), (1, 7), (6, 1), (5, 7)]
every_model = pytest.mark.parametrize("tiny", TINY.values(), ids=TINY.keys())


def random_images(model: Model, batch: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, model.channels, height, width)
    return torch.randint(0, model.num_levels, shape, generator=generator, dtype=torch.uint8)


def every_image(model: Model, tiny: Tiny) -> torch.Tensor:
    shape = (model.channels, tiny.height, tiny.width)
    values = itertools.product(range(model.num_levels), repeat=int(np.prod(shape)))
    return torch.tensor(list(values), dtype=torch.uint8).view(-1, *shape)


def draw(
    model: Model, requests: list[DrawRequest], num_slots: int = 4, dtype: torch.dtype = torch.float32
) -> dict[str, Drawn]:
    engine = Engine(model.program(), num_slots, dtype=dtype)
    for request in requests:
        engine.add(request)
    drawn: dict[str, Drawn] = {}
    while engine.busy:
        drawn |= {o.id: o for o in engine.step() if isinstance(o, Drawn)}
    return drawn


def sample_request(model: Model, name: str, height: int, width: int, seed: int = 1, sample: int = 0) -> DrawRequest:
    context = np.eye(model.context_size, dtype=np.float32)[0] if model.context_size else None
    return DrawRequest(name, name, height, width, seed, sample, context=context)


@every_model
def test_the_probabilities_of_all_images_sum_to_one(tiny: Tiny) -> None:
    model = tiny.model()
    images = every_image(model, tiny)
    for index in range(max(1, model.context_size)):
        context = tiny.context(model, index + 1)
        context = None if context is None else context[index].expand(len(images), -1)
        with torch.no_grad():
            total = model.log_prob(images, context).exp().sum()
        assert total.item() == pytest.approx(1, abs=1e-12)


@every_model
def test_no_later_sub_pixel_moves_an_earlier_one_and_every_earlier_one_is_seen(tiny: Tiny) -> None:
    """The dependence matrix over several random models and images (a ReLU may sleep in one of them)."""
    height, width = 4, 5
    num_dims = height * width * tiny.model().channels
    moved = np.zeros((num_dims, num_dims), bool)
    for seed in range(4):
        model = tiny.model(seed)
        images = random_images(model, 1, height, width, seed).expand(num_dims + 1, -1, -1, -1).clone()
        raster = images.permute(0, 2, 3, 1).reshape(num_dims + 1, num_dims)
        index = torch.arange(num_dims)
        raster[index + 1, index] = (raster[index + 1, index] + 1) % model.num_levels
        images = raster.view(-1, 1, height, width, model.channels).permute(0, 1, 4, 2, 3)
        with torch.no_grad():  # one by one: in a batch the last bit of an element depends on its place
            maps = torch.cat([model.log_prob_map(image, tiny.context(model, 1)) for image in images])
        outputs = maps.permute(0, 2, 3, 1).reshape(num_dims + 1, num_dims).numpy()
        moved |= outputs[1:] != outputs[:1]
    assert not np.tril(moved, -1).any(), "a later sub-pixel moves an earlier one"
    assert moved[within_reach(tiny, height, width)].all(), "an earlier sub-pixel in the receptive field is not seen"


def within_reach(tiny: Tiny, height: int, width: int) -> np.ndarray:
    """[changed, seen] for pairs that the layers' kernels connect, counted with sets and the paper's figure alone."""
    model = tiny.model()
    sizes = model.sizes()
    first = sizes["first_kernel"] // 2
    # (rows up, columns right): what the vertical map and the horizontal map of a layer see of the image.
    vertical = {(-dy, dx) for dy in range(1, first + 1) for dx in range(-first, first + 1)}
    horizontal = {(0, -dx) for dx in range(1, first + 1)} | vertical
    half = sizes["kernel"] // 2
    for d in sizes["dilations"]:
        grow = {(-dy * d, dx * d) for dy in range(half + 1) for dx in range(-half, half + 1)}
        vertical = {(y + dy, x + dx) for y, x in vertical for dy, dx in grow}
        left = {(0, -dx * d) for dx in range(half + 1)}
        horizontal = {(y, x + dx) for y, x in horizontal for _, dx in left} | vertical
    channels = model.channels
    reach = np.zeros((height * width * channels,) * 2, bool)
    for r, c, k in itertools.product(range(height), range(width), range(channels)):
        seen = {(r + y, c + x, j) for y, x in horizontal for j in range(channels)} | {(r, c, j) for j in range(k)}
        for row, col, j in seen:
            if 0 <= row < height and 0 <= col < width:
                reach[(row * width + col) * channels + j, (r * width + c) * channels + k] = True
    return reach


@every_model
@pytest.mark.parametrize("size", SIZES)
def test_the_step_program_equals_log_prob(tiny: Tiny, size: tuple[int, int]) -> None:
    model = tiny.model()
    images = random_images(model, 3, *size)
    context = tiny.context(model, 3)
    with torch.no_grad():
        expected = model.log_prob_map(images, context).sum((1, 3)).numpy()
    engine = Engine(model.program(), num_slots=4, dtype=torch.float64)
    for k in range(3):
        levels = images[k].permute(1, 2, 0).numpy()
        vector = None if context is None else context[k].float().numpy()
        engine.add(DrawRequest(str(k), str(k), *size, 0, 0, 1.0, vector, levels, np.ones(size, bool)))
    rows = np.zeros((3, size[0]))
    while engine.busy:
        for output in engine.step():
            if isinstance(output, RowDrawn):
                rows[int(output.id), output.row] = output.log_prob
    np.testing.assert_allclose(rows, expected, rtol=0, atol=1e-10)


@every_model
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_samples_are_as_frequent_as_their_probability(tiny: Tiny, temperature: float) -> None:
    """Pearson's chi-square over all images of two pixels against p^(1/T), renormalised in every conditional."""
    model, num_samples = tiny.model(), 4000
    height, width = 1, 2
    requests = [sample_request(model, str(k), height, width, seed=5, sample=k) for k in range(num_samples)]
    requests = [DrawRequest(r.id, "", height, width, r.seed, r.sample, temperature, r.context) for r in requests]
    drawn = draw(model, requests, num_slots=512)
    images = every_image(model, Tiny(tiny.make, height, width))
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
    context = tiny.context(model, 1)
    context = None if context is None else context.expand(len(images), -1)
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
def test_alone_in_a_batch_and_resumed_are_the_same_bytes(tiny: Tiny) -> None:
    model, (height, width) = tiny.model(), (6, 5)
    request = sample_request(model, "a", height, width, seed=9, sample=2)
    alone = draw(model, [request])["a"]
    others = [sample_request(model, str(k), height, width, seed=k) for k in range(7)]
    for num_slots in (4, 8, 16):
        company = draw(model, [*others[:5], request, *others[5:]], num_slots)["a"]
        assert company.values.tobytes() == alone.values.tobytes()
        assert company.log_prob == alone.log_prob
    for rows in range(1, height + 1):
        mask = np.zeros((height, width), bool)
        mask[:rows] = True
        resumed = DrawRequest("a", "a", height, width, 9, 2, 1.0, request.context, alone.values, mask)
        assert draw(model, [*others[:2], resumed])["a"].values.tobytes() == alone.values.tobytes()
        assert draw(model, [resumed])["a"].log_prob == alone.log_prob


@every_model
def test_every_parameter_gets_a_gradient(tiny: Tiny) -> None:
    model = tiny.model()
    images = random_images(model, 8, 6, 7)
    model.log_prob(images, tiny.context(model, 8)).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@every_model
def test_an_image_of_another_shape_or_a_missing_context_is_refused(tiny: Tiny) -> None:
    model = tiny.model()
    with pytest.raises(ModelError, match="x must be"):
        model.log_prob(torch.zeros(1, 2, 4, 4, dtype=torch.uint8), tiny.context(model, 1))
    wrong = None if model.context_size else torch.zeros(1, 3, dtype=torch.float64)
    with pytest.raises(ModelError, match="context"):
        model.log_prob(random_images(model, 1, 4, 4), wrong)
