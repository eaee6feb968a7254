"""Views: what an image becomes in a training batch."""

import math
from collections.abc import Sequence
from typing import assert_never

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)

from mnistpipe.training.recipe import Affine, Blur, Original, Rotation, View

BLUR_WEIGHTS = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # binomial, close to a Gaussian
_DRAWS: dict[str, int] = {"rotation": 1, "affine": 5}  # numbers per image, where a view takes any


def count_draws(views: Sequence[View]) -> int:
    """How many random numbers the views of one image take."""
    return sum(_DRAWS.get(view.name, 0) for view in views)


def make_views(
    pixels: Float[Tensor, "n 1 28 28"],
    views: Sequence[View],
    draws: Float[Tensor, "n d"],
) -> Float[Tensor, "m 1 28 28"]:
    """All views of each image, as one batch of `len(views) * n` images, view after view.

    Args:
        pixels: images in 0..1, before normalisation: what is added at the border is background.
        views: in the order in which they are wanted.
        draws: uniform random numbers in 0..1, `count_draws(views)` per image. They are an
            argument so that an image's views depend on its own numbers alone, not on its
            neighbours in the batch.

    """
    batches, start = [], 0
    for view in views:
        own = 2 * draws[:, start : start + _DRAWS.get(view.name, 0)] - 1  # in -1..1
        start += own.shape[1]
        match view:
            case Original():
                batches.append(pixels)
            case Blur():
                batches.append(blur(pixels))
            case Rotation():
                batches.append(rotate(pixels, view.degrees * own[:, 0]))
            case Affine():
                batches.append(deform(pixels, view, own))
            case _:
                assert_never(view)
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
    return _resample(pixels, (cos, -sin, zero), (sin, cos, zero))


def deform(
    pixels: Float[Tensor, "n 1 28 28"], affine: Affine, draws: Float[Tensor, "n 5"]
) -> Float[Tensor, "n 1 28 28"]:
    """Shear, resize, turn and shift each image about its centre: bilinear, zero filled.

    `draws` are in -1..1: of the angle, the size, the shear and the shifts right and down.
    """
    turn, size, lean, right, down = draws.unbind(1)
    angle = turn * (affine.degrees * math.pi / 180)
    zoom = 1 + affine.scale * size
    cos, sin, shear = angle.cos() / zoom, angle.sin() / zoom, affine.shear * lean
    # Coordinates run from -1 to 1, so that a shift by the whole side is 2.
    x, y = -2 * affine.translation * right, -2 * affine.translation * down
    # From output to input: shifted back, turned back, resized back, sheared back.
    first, second = (cos, -sin), (sin, cos)
    first = (first[0] - shear * second[0], first[1] - shear * second[1])
    return _resample(
        pixels,
        (*first, first[0] * x + first[1] * y),
        (*second, second[0] * x + second[1] * y),
    )


def _resample(
    pixels: Tensor, first: tuple[Tensor, ...], second: tuple[Tensor, ...]
) -> Float[Tensor, "n 1 28 28"]:
    """Sample at the places that two rows of a matrix give, from output to input coordinates."""
    matrices = torch.stack([torch.stack(first, dim=1), torch.stack(second, dim=1)], dim=1)
    grid = F.affine_grid(matrices, list(pixels.shape), align_corners=False)
    return F.grid_sample(pixels, grid, align_corners=False)


def _blur_matrix(pixels: Tensor) -> Tensor:
    """The (28, 28) matrix that convolves a column of pixels with the kernel."""
    size, reach = pixels.shape[-1], len(BLUR_WEIGHTS) // 2
    band = torch.zeros(size, size, dtype=pixels.dtype, device=pixels.device)
    for offset, weight in enumerate(BLUR_WEIGHTS, start=-reach):
        band.diagonal(offset).fill_(weight)
    return band
