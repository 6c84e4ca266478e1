import numpy as np
import torch

from models.pixel_cnn import PixelCNN


def test_the_blind_spot_is_the_published_one_at_any_depth() -> None:
    """k rows up, nothing right of first_kernel // 2 + (k - 1) * (kernel // 2) columns is seen; all other past is."""
    height, width, first, half = 6, 9, 1, 1
    num_pixels = height * width
    seen = np.zeros((num_pixels, num_pixels), bool)
    for seed in range(3):
        torch.manual_seed(seed)
        model = PixelCNN(1, 2, 8, [1] * 12, first_kernel=2 * first + 1, kernel=2 * half + 1).double().eval()
        image = torch.rand(num_pixels, requires_grad=True, dtype=torch.float64)
        maps = model.body(model.first(image.view(1, 1, height, width)), None)
        logits = model.logits(torch.relu(model.hidden(torch.relu(maps))))
        for pixel in range(num_pixels):
            (gradient,) = torch.autograd.grad(logits.flatten()[pixel], image, retain_graph=True)
            seen[:, pixel] |= gradient.numpy() != 0
    for changed, pixel in np.ndindex(num_pixels, num_pixels):
        up, right = pixel // width - changed // width, changed % width - pixel % width
        in_sight = right < 0 if up == 0 else up > 0 and right <= first + (up - 1) * half
        assert seen[changed, pixel] == in_sight, (up, right)
