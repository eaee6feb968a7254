import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)

from mnistpipe.networks.planes import add_weight_gradients, convolve_planes


@pytest.mark.parametrize("n_parts", [1, 2, 5])
@pytest.mark.parametrize(("n_in", "n_out", "kernel", "side"), [(1, 3, 5, 12), (8, 4, 3, 13)])
def test_output_and_gradients_are_those_of_pytorchs_layers(
    n_in: int, n_out: int, kernel: int, side: int, n_parts: int
) -> None:
    """An odd number of live channels, one image without any, and zeros that come in."""
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(4, n_in, side, side, generator=generator)
    images[1] = 0
    weight = torch.randn(n_out, n_in, kernel, kernel, generator=generator).requires_grad_()
    bias = torch.randn(n_out, generator=generator).requires_grad_()
    kept = torch.ones(4, n_out)
    kept[0], kept[2, 1:], kept[3, 0] = 0, 0, 2
    expected = F.relu(F.max_pool2d(F.conv2d(images, weight, bias), 2)) * kept[:, :, None, None]
    gradient = torch.randn(expected.shape, generator=generator)
    to_weight, to_bias = torch.autograd.grad((expected * gradient).sum(), [weight, bias])

    pooled = expected.shape[-1]
    output = np.full((4, pooled, pooled, n_out), np.nan, np.float32)
    places = np.full(output.shape, 255, np.uint8)
    rows = images.permute(0, 2, 3, 1).reshape(4, side, -1).contiguous().numpy()
    numbers = weight.detach().numpy(), bias.detach().numpy(), kept.numpy()
    convolve_planes(rows, *numbers, output, places, n_parts)
    np.testing.assert_allclose(
        output, expected.detach().permute(0, 2, 3, 1).numpy(), rtol=1e-5, atol=1e-5
    )
    if n_in == 1:
        sums = np.zeros((n_parts, n_out, kernel, kernel), np.float32)
        bias_sums = np.zeros((n_parts, n_out), np.float32)
        channels_last = gradient.permute(0, 2, 3, 1).contiguous().numpy()
        add_weight_gradients(channels_last, output, places, kept.numpy(), rows, sums, bias_sums)
        np.testing.assert_allclose(sums.sum(axis=0), to_weight[:, 0], rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(bias_sums.sum(axis=0), to_bias, rtol=1e-4, atol=1e-4)
