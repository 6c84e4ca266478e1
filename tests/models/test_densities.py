"""What must hold for every density: it integrates to one, is drawn as it is scored, and counts the pixel's unit."""

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.draw import draw
from models.base import Model, ModelError
from models.mcgsm import MCGSM
from models.ride import RIDE
from tests.models.tiny import DENSITIES, Tiny

every_density = pytest.mark.parametrize("tiny", DENSITIES.values(), ids=DENSITIES.keys())


def line(num_points: int, reach: float) -> tuple[Tensor, Tensor]:
    """Points 2 + sinh(t) and their trapezoid weights: fine around the data mean, and far out."""
    t = torch.linspace(-reach, reach, num_points, dtype=torch.float64)
    weights = torch.cosh(t) * (t[1] - t[0])
    weights[[0, -1]] /= 2
    return 2 + torch.sinh(t), weights


@every_density
def test_the_density_of_images_of_two_pixels_integrates_to_one(tiny: Tiny) -> None:
    (first, first_weights), (second, second_weights) = line(500, 4.5), line(1500, 4.5)
    images = torch.cartesian_prod(first, second).view(-1, 1, tiny.height, tiny.width)
    with torch.no_grad():
        density = tiny.model().log_prob(images).exp()
    assert (density @ torch.outer(first_weights, second_weights).flatten()).item() == pytest.approx(1, abs=1e-7)


@every_density
def test_every_conditional_of_a_larger_image_integrates_to_one(tiny: Tiny) -> None:
    model, (rows, cols) = tiny.model(), (4, 5)
    x, weights = line(3001, 9.0)
    image = 2 + torch.randn(1, 1, rows, cols, generator=torch.Generator().manual_seed(3)).double()
    for r, c in np.ndindex(rows, cols):
        images = image.repeat(len(x), 1, 1, 1)
        images[:, 0, r, c] = x
        with torch.no_grad():
            conditional = model.log_prob_map(images)[:, 0, r, c].exp()
        assert (conditional @ weights).item() == pytest.approx(1, abs=1e-8), (r, c)


@every_density
def test_drawn_pixels_follow_their_conditional_distribution(tiny: Tiny) -> None:
    """Kolmogorov-Smirnov, per pixel of the image, of F(x_i | x_<i), which is uniform."""
    model, num_images, (rows, cols) = tiny.model(), 400, (2, 2)
    images, log_probs = draw(model.program(), num_images, rows, cols, seed=4, num_slots=400, interpreter="torch")
    drawn = torch.from_numpy(images).movedim(-1, 1).double()
    with torch.no_grad():
        np.testing.assert_allclose(log_probs, model.log_prob(drawn).numpy(), rtol=0, atol=1e-3)
    for r, c in np.ndindex(rows, cols):
        u = np.sort(distribution_function(model, drawn, r, c).numpy())
        steps = np.arange(num_images + 1) / num_images
        distance = max((steps[1:] - u).max(), (u - steps[:-1]).max())
        assert distance < 2.1 / np.sqrt(num_images), "less than three in ten thousand"


def distribution_function(model: Model, images: Tensor, r: int, c: int) -> Tensor:
    """The integral of p(x_rc | x_<) up to the pixel's own value [image], by Simpson's rule from far below."""
    t = torch.linspace(0, 1, 201, dtype=torch.float64)
    own = images[:, 0, r, c]
    start = torch.asinh(own - 2).clamp(max=-9.0) - 1
    nodes = start[:, None] + (torch.asinh(own - 2) - start)[:, None] * t
    changed = images[:, None].repeat(1, len(t), 1, 1, 1)
    changed[:, :, 0, r, c] = 2 + torch.sinh(nodes)
    with torch.no_grad():
        density = model.log_prob_map(changed.flatten(0, 1))[:, 0, r, c].exp().view(nodes.shape)
    simpson = torch.tensor([1.0, *[4.0, 2.0] * 99, 4.0, 1.0]).double() / 3
    return (density * torch.cosh(nodes)) @ simpson * (nodes[:, 1] - nodes[:, 0])


@every_density
def test_another_unit_of_the_data_moves_the_log_density_by_its_logarithm(tiny: Tiny) -> None:
    """The Jacobian of the whitening is counted: fitted to data of twice the contrast, p(2 x) = p(x) / 2 a pixel."""
    model, doubled = tiny.model(), tiny.model()
    assert isinstance(model, MCGSM | RIDE) and isinstance(doubled, MCGSM | RIDE)
    images = smooth_images(6, 12, 11)
    model.whitening.fit(images[:, 0])
    doubled.whitening.fit(2 * images[:, 0] + 5)
    with torch.no_grad():
        difference = model.log_prob_map(images) - doubled.log_prob_map(2 * images + 5)
    torch.testing.assert_close(difference, torch.full_like(difference, np.log(2)), rtol=0, atol=1e-9)


def smooth_images(batch: int, rows: int, cols: int) -> Tensor:
    noise = torch.randn(batch, 1, rows + 2, cols + 2, generator=torch.Generator().manual_seed(1)).double()
    return 3 + torch.nn.functional.avg_pool2d(noise, 3, 1)


@every_density
@pytest.mark.parametrize("extreme", [200.0, -200.0])
def test_extreme_parameters_neither_overflow_nor_part_the_two_views(tiny: Tiny, extreme: float) -> None:
    model = tiny.model().float()
    assert isinstance(model, MCGSM | RIDE)
    with torch.no_grad():
        model.head.scales[:, 0] = extreme
        model.head.log_factors[0] = extreme
    images = 2 + torch.randn(4, 1, 5, 6, generator=torch.Generator().manual_seed(2))
    log_prob = model.log_prob(images)
    log_prob.sum().backward()  # type: ignore[no-untyped-call]
    assert log_prob.isfinite().all()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
    program = model.program()
    for name, value in zip(program.heads[0].parameters, model.head.constants(), strict=True):
        torch.testing.assert_close(program.parameters[name], value.detach(), rtol=0, atol=0)


def test_sizes_that_make_no_density_are_refused() -> None:
    for make in (
        lambda: MCGSM(neighbourhood=4),
        lambda: MCGSM(neighbourhood=1),
        lambda: MCGSM(num_scales=0),
        lambda: RIDE(width=0),
        lambda: RIDE(width=4, num_layers=0),
    ):
        with pytest.raises(ModelError):
            make()
