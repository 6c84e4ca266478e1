"""Conditional whitening: what comes out is white, and outside the image stands the mean."""

import pytest
import torch
from torch import Tensor

from models.base import ModelError
from models.whitening import Whitening, causal_offsets


def field(seed: int, rows: int, cols: int) -> Tensor:
    """Correlated noise around 100: a moving average over 4 x 4 pixels, unlike in its two directions."""
    noise = torch.randn(1, 1, rows + 3, cols + 3, generator=torch.Generator().manual_seed(seed)).double()
    kernel = torch.outer(torch.tensor([1.0, 2, 3, 1]), torch.tensor([3.0, 1, 2, 2])).double()
    return 100 + torch.nn.functional.conv2d(noise, kernel[None, None])[0, 0]


def test_five_by_five_makes_twelve_neighbours_in_raster_order() -> None:
    expected = [(dy, dx) for dy in (-2, -1) for dx in (-2, -1, 0, 1, 2)] + [(0, -2), (0, -1)]
    assert list(causal_offsets(5)) == expected
    assert len(causal_offsets(9)) == 40


@pytest.mark.parametrize("size", [3, 5, 7])
def test_the_fitted_data_come_out_white(size: int) -> None:
    images = [field(0, 60, 50), field(1, 41, 70)]
    whitening = Whitening(size).double()
    whitening.fit(images)
    half, rows = size // 2, []
    for image in images:
        z, prediction = whitening(image[None])
        y = (image[None] - prediction[..., 0]) * torch.exp(-prediction[..., 1])
        rows.append(torch.cat((z, y[..., None]), -1)[0, half:, half:-half].flatten(0, 1))
    white = torch.cat(rows)
    torch.testing.assert_close(white.T @ white / len(white), torch.eye(white.shape[1]).double(), rtol=0, atol=1e-8)
    assert abs(white.mean(0)).max() < 0.2


def test_the_prediction_is_that_of_least_squares() -> None:
    image = field(2, 40, 40)
    whitening = Whitening(5).double()
    whitening.fit([image])
    centred = image - image.mean()
    pixels = [(r, c) for r in range(2, 40) for c in range(2, 38)]
    neighbours = torch.stack(
        [torch.stack([centred[r + dy, c + dx] for dy, dx in causal_offsets(5)]) for r, c in pixels]
    )
    own = torch.stack([centred[r, c] for r, c in pixels])
    solution = torch.linalg.lstsq(neighbours, own[:, None]).solution[:, 0]
    torch.testing.assert_close(whitening.predictor, solution)
    _, prediction = whitening(image[None])
    expected = image.mean() + neighbours @ solution
    torch.testing.assert_close(prediction[0, 2:, 2:-2, 0].flatten(), expected)
    assert prediction[..., 1].unique().item() == pytest.approx((own - neighbours @ solution).square().mean().log() / 2)


def test_neighbours_outside_the_image_are_the_mean() -> None:
    whitening = Whitening(5).double()
    whitening.fit([field(3, 30, 30)])
    inner = 100 + torch.arange(12.0).view(1, 3, 4).double()
    padded = torch.nn.functional.pad(inner, (2, 2, 2, 0), value=whitening.mean.item())
    torch.testing.assert_close(whitening.neighbours(inner), whitening.neighbours(padded)[:, 2:, 2:-2])


@pytest.mark.parametrize("image", [torch.full((9, 9), 7.0), torch.arange(81.0).view(9, 9), torch.zeros(2, 3)])
def test_images_without_noise_or_without_a_whole_neighbourhood_are_refused(image: Tensor) -> None:
    with pytest.raises(ModelError):
        Whitening(5).fit([image])
