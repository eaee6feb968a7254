import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)

from mnistpipe.networks.winograd import convolve_winograd


@pytest.mark.parametrize("n_parts", [1, 2])
@pytest.mark.parametrize("n_images", [1, 40])  # fewer than are taken at a time, and more
@pytest.mark.parametrize(("side", "n_in", "n_out"), [(8, 9, 1), (16, 32, 32)])
def test_maps_are_those_of_the_sum_of_products(
    side: int, n_in: int, n_out: int, n_images: int, n_parts: int
) -> None:
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(n_images, n_in, side, side, generator=generator)
    weight, bias = (torch.randn(n_out, *more, generator=generator) for more in ((n_in, 5, 5), ()))
    exact = F.conv2d(images.double(), weight.double(), bias.double()).permute(0, 2, 3, 1).numpy()
    rows = images.permute(0, 2, 3, 1).reshape(n_images, side, -1).contiguous().numpy()
    maps = convolve_winograd(rows, weight, bias.numpy(), n_parts)
    np.testing.assert_allclose(maps, exact, rtol=0, atol=1e-5 * float(np.abs(exact).max()))
