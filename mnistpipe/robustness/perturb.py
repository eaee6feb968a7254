"""Test images that are harder than they were: blurred, or turned."""

import torch
from jaxtyping import Float
from torch import Tensor

from mnistpipe.robustness.params import Perturbation
from mnistpipe.training.views import blur, rotate


def perturb(
    pixels: Float[Tensor, "n 1 28 28"], perturbation: Perturbation, strength: int, seed: int
) -> Float[Tensor, "n 1 28 28"]:
    """Each image with the same strength; a strength of 0 leaves it as it is.

    Args:
        pixels: images in 0..1, before normalisation: what is added at the border is background.
        perturbation: blur, or rotation about the centre.
        strength: passes of the blur's kernel, each of which adds one squared pixel of variance;
            or the angle in degrees.
        seed: of the sides to which the images are turned, so that they are the same at every
            angle and for every network.

    """
    match perturbation:
        case "blur":
            for _ in range(strength):
                pixels = blur(pixels)
            return pixels
        case "rotation":
            if strength == 0:
                return pixels  # a rotation by zero would still interpolate
            generator = torch.Generator().manual_seed(seed)
            sides = torch.randint(2, (len(pixels),), generator=generator) * 2.0 - 1
            return rotate(pixels, strength * sides)
