"""Views: what an image becomes in a training batch."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)

from mnistpipe.params import View

BLUR_WEIGHTS = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # binomial, close to a Gaussian


def make_views(
    pixels: Float[Tensor, "n 1 28 28"],
    views: Sequence[View],
    rotation_degrees: float | None,
    draws: Float[Tensor, " n"],
) -> Float[Tensor, "m 1 28 28"]:
    """All views of each image, as one batch of `len(views) * n` images, view after view.

    Args:
        pixels: images in 0..1, before normalisation: what is added at the border is background.
        views: in the order in which they are wanted.
        rotation_degrees: half width of the distribution of angles; for the rotation view.
        draws: one uniform random number in 0..1 per image. They are an argument so that an
            image's views depend on its own number alone, not on its neighbours in the batch.

    """
    batches = []
    for view in views:
        match view:
            case "original":
                batches.append(pixels)
            case "blur":
                batches.append(blur(pixels))
            case "rotation":
                if rotation_degrees is None:
                    raise ValueError("the rotation view needs rotation_degrees")
                batches.append(rotate(pixels, rotation_degrees * (2 * draws - 1)))
    return torch.cat(batches) if len(batches) > 1 else batches[0]


def blur(pixels: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n 1 28 28"]:
    """Convolve with the 5x5 binomial kernel, the outer product of [1 4 6 4 1] / 16, zero padded.

    The kernel is separable, so this is one product with a banded matrix for each axis: a third
    of a convolution's time on such small images.
    """
    band = _blur_matrix(pixels)
    return band @ pixels @ band.T


def rotate(
    pixels: Float[Tensor, "n 1 28 28"], degrees: Float[Tensor, " n"]
) -> Float[Tensor, "n 1 28 28"]:
    """Turn each image counter-clockwise about its centre: bilinear, zero filled."""
    angle = degrees * (math.pi / 180)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    rows = (torch.stack([cos, -sin, zero], dim=1), torch.stack([sin, cos, zero], dim=1))
    matrices = torch.stack(rows, dim=1)  # (n, 2, 3), from output to input coordinates
    grid = F.affine_grid(matrices, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, align_corners=False)


def _blur_matrix(pixels: Tensor) -> Tensor:
    """The (28, 28) matrix that convolves a column of pixels with the kernel."""
    size, reach = pixels.shape[-1], len(BLUR_WEIGHTS) // 2
    band = torch.zeros(size, size, dtype=pixels.dtype, device=pixels.device)
    for offset, weight in enumerate(BLUR_WEIGHTS, start=-reach):
        band.diagonal(offset).fill_(weight)
    return band
