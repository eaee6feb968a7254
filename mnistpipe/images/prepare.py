"""Makes pictures of a digit, of any size and kind, like the images that the networks know."""

from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image

from mnistpipe.images.ink import EmptyImageError, find_ink
from mnistpipe.images.strokes import normalise_strokes

SIDE = 28  # of MNIST's images, in pixels
BOX = 20  # the longer side of the digit's box in them

Preparation: TypeAlias = Literal["mnist", "resize"]

__all__ = ["BOX", "PREPARATIONS", "SIDE", "EmptyImageError", "Preparation", "mnist", "resize"]


def resize(grey: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "28 28"]:
    """The whole picture on 28x28 pixels, its shape kept.

    A picture that is no square is made one by margins of its border's median grey. One of 28x28
    pixels is handed back as it is.
    """
    height, width = grey.shape
    if height == width == SIDE:
        return grey
    side = max(height, width)
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    square = np.full((side, side), np.median(border), dtype=np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = grey
    return np.array(Image.fromarray(square).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def mnist(grey: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "28 28"]:
    """The digit in a picture as MNIST has it: light on dark, of its size, in its place.

    As LeCun et al. (1998) made MNIST: the digit's box is scaled into 20x20 pixels with its shape
    kept, and its centre of mass is put in the middle of 28x28. What other pictures need before
    that is done by `find_ink` and `normalise_strokes`.

    Raises:
        EmptyImageError: if nothing is drawn there.

    """
    ink = normalise_strokes(find_ink(grey))
    height, width = ink.shape
    scale = BOX / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(Image.fromarray(ink).resize(size, Image.Resampling.BOX))
    return _centred(np.round(255 * np.clip(small, 0, 1)).astype(np.uint8))


def _centred(ink: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "28 28"]:
    """Put the centre of mass on pixel 14 of both axes, as MNIST has it, if the ink stays within.

    By integers: what lies in the middle of two pixels goes the same way in the page's JavaScript.
    """
    canvas = np.zeros((SIDE, SIDE), dtype=np.uint8)
    corner = []
    for axis, length in enumerate(ink.shape):
        mass = ink.sum(axis=1 - axis, dtype=np.int64)
        centre = mass @ np.arange(length) / mass.sum()
        corner.append(min(max(round(SIDE / 2 - centre), 0), SIDE - length))
    top, left = corner
    canvas[top : top + ink.shape[0], left : left + ink.shape[1]] = ink
    return canvas


PREPARATIONS: dict[Preparation, Callable[[UInt8[ndarray, "h w"]], UInt8[ndarray, "28 28"]]] = {
    "mnist": mnist,
    "resize": resize,
}
