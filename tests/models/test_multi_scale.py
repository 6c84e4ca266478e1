"""What must hold for a chain of two nets: each stage as any model, and both together."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from engine.chain import engine_of
from engine.engine import Interpreter
from engine.request import Drawn, DrawRequest, RequestRejected, RowDrawn
from models.base import ModelError
from models.multi_scale import MultiScale
from models.sizes import MultiScaleSizes, faults
from models.strict_json import parse
from tests import devices
from tests.models.reach import dependence
from tests.models.reference_multi_scale import log_probs
from tests.models.tiny import CHAINS, Tiny

SIZES = [(1, 1), (1, 7), (6, 1), (5, 7), (8, 8)]
every_chain = pytest.mark.parametrize("tiny", CHAINS.values(), ids=CHAINS.keys())
every_interpreter = pytest.mark.parametrize("interpreter", ["auto", "torch"])


def chain(tiny: Tiny, seed: int = 0) -> MultiScale:
    model = tiny.model(seed)
    assert isinstance(model, MultiScale)
    return model


def random_images(model: MultiScale, batch: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (batch, model.channels, height, width)
    return torch.randint(0, model.num_levels, shape, generator=generator, dtype=torch.uint8)


def every_image(model: MultiScale, height: int, width: int) -> torch.Tensor:
    shape = (model.channels, height, width)
    values = itertools.product(range(model.num_levels), repeat=int(np.prod(shape)))
    return torch.tensor(list(values), dtype=torch.uint8).view(-1, *shape)


def request(tiny: Tiny, model: MultiScale, name: str, height: int, width: int, **more: object) -> DrawRequest:
    context = tiny.context(model, 1)
    vector = None if context is None else context[0].float().numpy()
    seed, sample = int(more.pop("seed", 9)), int(more.pop("sample", 2))  # type: ignore[call-overload]
    return DrawRequest(name, name, height, width, seed, sample, context=vector, **more)  # type: ignore[arg-type]


def draw(
    model: MultiScale, requests: list[DrawRequest], interpreter: Interpreter, num_slots: int = 4
) -> dict[str, Drawn]:
    engine = engine_of(model.stages(), num_slots, devices.DEVICE, interpreter=interpreter)
    for asked in requests:
        engine.add(asked)
    drawn: dict[str, Drawn] = {}
    while engine.busy:
        drawn |= {output.id: output for output in engine.step() if isinstance(output, Drawn)}
    return drawn


@every_chain
@pytest.mark.parametrize("size", [(1, 1), (5, 4), (3, 7)])
def test_log_prob_is_that_of_a_plain_implementation(tiny: Tiny, size: tuple[int, int]) -> None:
    model = chain(tiny, seed=3)
    images, context = random_images(model, 2, *size), tiny.context(model, 2)
    weights = {name: tensor.numpy() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        small = model.stage_map(0, model.subsample(images), context).sum((1, 2, 3))
        large = model.stage_map(1, images, context).sum((1, 2, 3))
        total = model.log_prob(images, context)
    for k in range(2):
        vector = None if context is None else context[k].numpy()
        expected = log_probs(model.sizes(), weights, images[k].double().numpy(), vector)
        assert (small[k].item(), large[k].item()) == pytest.approx(expected, abs=1e-10)
        assert total[k].item() == pytest.approx(sum(expected), abs=1e-10)


@every_chain
def test_the_probabilities_of_all_images_of_a_stage_sum_to_one(tiny: Tiny) -> None:
    model = chain(tiny)
    for stage in (0, 1):
        images = every_image(model, tiny.height, tiny.width)
        context = tiny.context(model, 1)
        context = None if context is None else context.expand(len(images), -1)
        given = random_images(model, 1, *model.subsample(images).shape[2:]).expand(len(images), -1, -1, -1)
        with torch.no_grad():
            total = model.stage_map(stage, images, context, given).sum((1, 2, 3)).exp().sum()
        assert total.item() == pytest.approx(1, abs=1e-12)


@every_chain
def test_given_a_coarse_image_a_sub_pixel_depends_on_those_that_the_net_reaches(tiny: Tiny) -> None:
    height, width = 4, 5
    moved = np.any(list(dependences(tiny, height, width)), 0)
    assert not np.tril(moved, -1).any(), "a later sub-pixel moves an earlier one"
    np.testing.assert_array_equal(np.triu(moved, 1), dependence(chain(tiny).large, height, width))


def dependences(tiny: Tiny, height: int, width: int) -> Iterator[np.ndarray]:
    """[changed, seen] of several random models and images: which log p move, by a bit or more."""
    for seed in range(4):
        model = chain(tiny, seed)
        images = changed_at_every_place(model, height, width, seed)
        given = model.subsample(images[:1])
        with torch.no_grad():
            maps = torch.cat([model.stage_map(1, x[None], tiny.context(model, 1), given) for x in images])
        outputs = maps.permute(0, 2, 3, 1).flatten(1).numpy()
        yield outputs[1:] != outputs[:1]


def changed_at_every_place(model: MultiScale, height: int, width: int, seed: int) -> torch.Tensor:
    """A random image, then that image with one sub-pixel changed, for each in raster order."""
    num_dims = height * width * model.channels
    images = random_images(model, 1, height, width, seed).expand(num_dims + 1, -1, -1, -1).clone()
    raster = images.permute(0, 2, 3, 1).reshape(num_dims + 1, num_dims)
    raster[torch.arange(num_dims) + 1, torch.arange(num_dims)] += 1
    raster %= model.num_levels
    return raster.view(-1, height, width, model.channels).permute(0, 3, 1, 2)


@every_chain
def test_every_pixel_is_told_of_the_coarse_pixels_around_it_also_of_later_ones(tiny: Tiny) -> None:
    """What a coarse sub-pixel moves: nothing in rows above those that the deconvolutions reach, and something."""
    model, zoom = chain(tiny), 2 ** chain(tiny).level
    height = width = max(8, 2 * zoom)
    reach, image = model.map_kernel // 2, random_images(model, 1, height, width)
    coarse = changed_at_every_place(model, -(-height // zoom), -(-width // zoom), seed=1)
    with torch.no_grad():
        base, *maps = (model.stage_map(1, image, tiny.context(model, 1), x[None])[0].sum(0) for x in coarse)
    rows, columns, _ = np.unravel_index(np.arange(len(maps)), (-(-height // zoom), -(-width // zoom), model.channels))
    told_of_later = False
    for moved, row, column in zip((m != base for m in maps), rows, columns, strict=True):
        first_row = max(0, (row - reach) * zoom)
        assert not moved[:first_row].any()
        assert moved.any()
        told_of_later |= bool(moved.flatten()[: (row * width + column) * zoom].any())
    assert told_of_later


@every_chain
@pytest.mark.parametrize("size", SIZES)
def test_the_step_programs_equal_log_prob(tiny: Tiny, size: tuple[int, int]) -> None:
    model = chain(tiny)
    images, context = random_images(model, 3, *size), tiny.context(model, 3)
    with torch.no_grad():
        small = model.stage_map(0, model.subsample(images), context).sum((1, 3)).numpy()
        large = model.stage_map(1, images, context).sum((1, 3)).numpy()
    engine = engine_of(model.stages(), 4, devices.DEVICE, torch.float64)
    for k in range(3):
        vector = None if context is None else context[k].float().numpy()
        levels = images[k].permute(1, 2, 0).numpy()
        engine.add(DrawRequest(str(k), str(k), *size, 0, 0, 1.0, vector, levels, np.ones(size, bool)))
    rows = [np.zeros_like(small), np.zeros_like(large)]
    while engine.busy:
        for output in engine.step():
            if isinstance(output, RowDrawn):
                rows[output.stage][int(output.id), output.row] = output.log_prob
            else:
                k = int(output.id)
                assert output.log_prob == pytest.approx(small[k].sum() + large[k].sum(), abs=1e-5)
                assert output.drawn_log_prob == 0
    np.testing.assert_allclose(rows[0], small, rtol=0, atol=1e-10)
    np.testing.assert_allclose(rows[1], large, rtol=0, atol=1e-6)  # the coarse image is told in float32


@every_chain
@every_interpreter
def test_samples_are_as_frequent_as_their_probability(tiny: Tiny, interpreter: Interpreter) -> None:
    """Pearson's chi-square over all pairs of a coarse image of one pixel and an image of two."""
    model, num_samples = chain(tiny), 3000
    requests = [request(tiny, model, str(k), 1, 2, seed=5, sample=k) for k in range(num_samples)]
    coarse, fine = every_image(model, 1, 1), every_image(model, 1, 2)
    pairs = list(itertools.product(range(len(coarse)), range(len(fine))))
    index = {(coarse[a].numpy().tobytes(), fine[b].numpy().tobytes()): k for k, (a, b) in enumerate(pairs)}
    counts = np.zeros(len(pairs))
    for output in draw(model, requests, interpreter, num_slots=512).values():
        assert output.coarse is not None
        images = (np.ascontiguousarray(np.moveaxis(x, -1, 0)) for x in (output.coarse, output.values))
        counts[index[tuple(image.tobytes() for image in images)]] += 1  # type: ignore[index]
    small, large = coarse[[a for a, _ in pairs]], fine[[b for _, b in pairs]]
    context = tiny.context(model, 1)
    context = None if context is None else context.expand(len(pairs), -1)
    with torch.no_grad():
        of_stages = model.stage_map(0, small, context), model.stage_map(1, large, context, small)
    nats = sum(log_prob.sum((1, 2, 3)) for log_prob in of_stages)
    assert isinstance(nats, torch.Tensor)
    expected = nats.exp().numpy() * num_samples
    assert expected.sum() == pytest.approx(num_samples)
    common = expected > 1
    chi_square, degrees = ((counts - expected)[common] ** 2 / expected[common]).sum(), common.sum()
    assert chi_square < degrees + 5 * np.sqrt(2 * degrees), "samples do not follow the model's distribution"


@every_chain
@every_interpreter
def test_alone_in_a_batch_and_resumed_in_either_stage_are_the_same_bytes(tiny: Tiny, interpreter: Interpreter) -> None:
    model, (height, width) = chain(tiny), (6, 5)
    asked = request(tiny, model, "a", height, width)
    alone = draw(model, [asked], interpreter)["a"]
    assert alone.coarse is not None
    others = [request(tiny, model, str(k), height, width, seed=k) for k in range(7)]
    same = [draw(model, [*others[:5], asked, *others[5:]], interpreter, num_slots)["a"] for num_slots in (4, 8)]
    for rows in range(len(alone.coarse) + 1):
        resumed = request(tiny, model, "a", height, width, coarse=alone.coarse[:rows])
        same.append(draw(model, [*others[:2], resumed], interpreter)["a"])
    for rows in range(1, height + 1):
        mask = np.arange(height)[:, None].repeat(width, 1) < rows
        resumed = request(tiny, model, "a", height, width, coarse=alone.coarse, known=alone.values, mask=mask)
        same.append(draw(model, [resumed], interpreter)["a"])
    for other in same:
        assert other.values.tobytes() == alone.values.tobytes()
        assert other.log_prob == alone.log_prob


@every_chain
def test_known_pixels_on_the_grid_are_known_to_the_coarse_image(tiny: Tiny) -> None:
    model, (height, width) = chain(tiny), (6, 7)
    image = random_images(model, 1, height, width)[0].permute(1, 2, 0).numpy()
    mask = np.random.default_rng(0).random((height, width)) < 0.6
    drawn = draw(model, [request(tiny, model, "a", height, width, known=image, mask=mask)], "auto")["a"]
    zoom = 2**model.level
    assert drawn.coarse is not None
    np.testing.assert_array_equal(drawn.values[mask], image[mask])
    np.testing.assert_array_equal(drawn.coarse[mask[::zoom, ::zoom]], image[::zoom, ::zoom][mask[::zoom, ::zoom]])
    assert drawn.log_prob < drawn.drawn_log_prob < 0


def test_both_stages_together_take_no_more_images_than_there_is_room_for() -> None:
    model = chain(CHAINS["grey binary"])
    engine = engine_of(model.stages(), 4, devices.DEVICE, interpreter="torch")
    for name in "ab":
        engine.add(request(CHAINS["grey binary"], model, name, 8, 8))
    engine.step(room=2)
    while engine.num_running():
        engine.step(room=0)
    assert engine.num_waiting == 2, "for the second stage"
    for name in "cd":
        engine.add(request(CHAINS["grey binary"], model, name, 8, 8))
    engine.step(room=3)
    assert engine.num_running() == 3


def test_no_thread_goes_on_with_an_image_before_the_rows_of_its_coarse_image_are_taken() -> None:
    """They are by the next step of the thread that drew them, at the latest."""
    model = chain(CHAINS["grey binary"])
    engine = engine_of(model.stages(), 4, num_threads=2)
    engine.add(request(CHAINS["grey binary"], model, "a", 8, 8))
    rows = [output.row for output in engine.step(0) if isinstance(output, RowDrawn)]
    while rows[-1:] != [3]:
        rows = [output.row for output in engine.step(0) if isinstance(output, RowDrawn)]
    assert not [output for _ in range(8) for output in engine.step(1)] and engine.busy
    while engine.busy:
        rows += [output.row for output in engine.step(0) if isinstance(output, RowDrawn)]
    assert rows[-8:] == list(range(8))


@every_interpreter
def test_an_image_is_canceled_in_either_stage(interpreter: Interpreter) -> None:
    model = chain(CHAINS["grey binary"])
    engine = engine_of(model.stages(), 4, devices.DEVICE, interpreter=interpreter)
    for stage in (0, 1):
        engine.add(request(CHAINS["grey binary"], model, "a", 64, 64))
        while not any(isinstance(output, RowDrawn) and output.stage == stage for output in engine.step()):
            pass
        engine.cancel("a")
        assert not [output for output in [*engine.step(), *engine.step()] if isinstance(output, Drawn)]
        assert not engine.busy


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"known": np.zeros((6, 7, 3), np.uint8), "mask": np.ones((6, 7), bool)}, "known pixels must be"),
        ({"height": 0}, "at least one pixel"),
        ({"context": np.zeros(2, np.float32)}, "context must hold 0 numbers"),
    ],
)
def test_a_request_that_does_not_fit_is_refused_at_once(fault: dict[str, Any], message: str) -> None:
    model = chain(CHAINS["grey binary"])
    engine = engine_of(model.stages(), 4)
    with pytest.raises(RequestRejected, match=message):
        engine.add(replace(request(CHAINS["grey binary"], model, "a", 6, 7), **fault))
    assert not engine.busy


def test_the_stages_have_random_numbers_of_their_own() -> None:
    """Both nets draw a pixel from the same distribution: half of all images agree with their coarse one, not all."""
    model = CHAINS["grey binary"].model()
    for parameter in model.parameters():
        parameter.data.zero_()
    assert isinstance(model, MultiScale)
    requests = [request(CHAINS["grey binary"], model, str(k), 1, 1, sample=k) for k in range(64)]
    drawn = draw(model, requests, "auto", num_slots=64).values()
    agree = sum(bool((output.coarse == output.values).all()) for output in drawn)
    assert 10 < agree < 54


@every_chain
def test_every_parameter_gets_a_gradient(tiny: Tiny) -> None:
    model = chain(tiny)
    model.log_prob(random_images(model, 8, 9, 7), tiny.context(model, 8)).sum().backward()  # type: ignore[no-untyped-call]
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name


@every_chain
def test_an_image_of_another_shape_or_a_missing_context_is_refused(tiny: Tiny) -> None:
    model = chain(tiny)
    with pytest.raises(ModelError, match="x must be"):
        model.log_prob(torch.zeros(1, 2, 4, 4, dtype=torch.uint8), tiny.context(model, 1))
    wrong = None if model.context_size else torch.zeros(1, 3, dtype=torch.float64)
    with pytest.raises(ModelError, match="context"):
        model.log_prob(random_images(model, 1, 4, 4), wrong)


def test_what_is_fitted_of_the_last_net_is_what_the_coarse_one_leaves() -> None:
    model = CHAINS["grey 5 levels, digits of the coarse image"].model()
    assert isinstance(model, MultiScale)
    x = random_images(model, 3, 5, 6)
    last = model.last_log_prob(x)
    torch.testing.assert_close(last, model.log_prob(x) - model.small.log_prob(model.subsample(x)))
    last.sum().backward()
    assert all(p.grad is None for p in model.small.parameters())
    assert all(p.grad is not None for p in [*model.large.parameters(), *model.upsample.parameters()])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"small": {"kind": "ride"}}, "kind of a net must be one of pixel_cnn, row_lstm, diagonal_bilstm"),
        ({"level": 0}, "level 1 to 4"),
        ({"map_width": 0}, "map_width must be positive"),
        ({"map_kernel": 4}, "kernel sizes must be odd"),
        ({"map_digits": True}, "map_digits must be false"),
    ],
)
def test_sizes_that_make_no_model_are_refused(change: dict[str, object], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        MultiScale(**CHAINS["grey binary"].model().sizes() | change)


def test_what_is_out_of_range_in_the_sizes_of_a_net_is_named() -> None:
    told = CHAINS["grey binary"].model().sizes()
    told["small"]["width"], told["large"]["dilations"], told["level"] = 0, [1, 300], 9
    assert list(faults(parse(MultiScaleSizes, told))) == [
        "sizes.level must be 1 to 4, not 9",
        "sizes.small.width must be 1 to 1024, not 0",
        "each of sizes.large.dilations must be 1 to 256, not 300",
    ]
