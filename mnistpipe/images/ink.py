"""Finds the ink of the one digit in a picture: photographs and scans as well as drawings."""

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from numpy import ndarray
from PIL import Image
from scipy import ndimage

from mnistpipe.files.errors import UserError

LONGEST = 480  # pixels of a side that are looked at; a photograph has more than are needed
FAINTEST = 20  # grey levels by which ink differs from paper at least
ABOVE_NOISE = 6.0  # standard deviations of the paper by which it does
LIGHTEST = 0.4  # share of the full ink's contrast from which on a pixel is ink
_EVERYWHERE = np.ones((3, 3), dtype=bool)  # neighbours, the diagonal ones, too


class EmptyImageError(UserError):
    """Nothing is drawn in a picture."""


def find_ink(grey: UInt8[ndarray, "h w"]) -> Float32[ndarray, "a b"]:
    """How much ink is where, 0..1, in the box around the digit.

    Raises EmptyImageError if there is none.
    """
    ink = _contrast(_shrunk(grey))
    digit = _main_parts(_without_rules(ink > LIGHTEST))
    if not digit.any():
        raise EmptyImageError("Nothing is drawn in the image.")
    near = ndimage.binary_dilation(digit, _EVERYWHERE, iterations=2)
    rows, columns = ndimage.find_objects((near & (ink > LIGHTEST / 3)).astype(np.uint8))[0]
    box: Float32[ndarray, "a b"] = (ink * near)[rows, columns]
    return box


def _shrunk(grey: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "h w"]:
    factor = LONGEST / max(grey.shape)
    if factor >= 1:
        return grey
    height, width = (max(1, round(length * factor)) for length in grey.shape)
    return np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BOX))


def _contrast(grey: UInt8[ndarray, "h w"]) -> Float32[ndarray, "h w"]:
    """Difference to the paper, 1 for full ink, whichever of both is the lighter one."""
    levels = grey.astype(np.float32)
    border = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    middle = (levels.max() + levels.min()) / 2
    if np.mean(border > middle) + np.mean(levels > middle) > 1:  # most is light: so is the paper
        levels = 255 - levels
    levels -= _paper(levels)
    paper = np.median(levels)
    noise = 1.4826 * np.median(np.abs(levels - paper))  # the standard deviation, had it no ink
    levels -= paper
    n_full = max(1, levels.size // 500)
    full = np.partition(levels.ravel(), -n_full)[-n_full:].mean()
    if full < max(FAINTEST, ABOVE_NOISE * noise):
        raise EmptyImageError("Nothing is drawn in the image.")
    contrast: Float32[ndarray, "h w"] = np.clip(levels / full, 0, 1)
    return contrast


def _paper(levels: Float32[ndarray, "h w"]) -> Float32[ndarray, "h w"]:
    """Grey levels of dark paper under light ink: what is left where ink is narrow."""
    height, width = levels.shape
    step = max(1, max(height, width) // 96)
    small = ndimage.uniform_filter(levels, step)[step // 2 :: step, step // 2 :: step]
    size = max(3, max(small.shape) // 2)
    opened = ndimage.grey_opening(small, size=(size, size), mode="nearest")
    smooth = ndimage.uniform_filter(opened, size // 2 + 1, mode="nearest")
    resized = Image.fromarray(smooth).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.float32)


def _without_rules(ink: Bool[ndarray, "h w"]) -> Bool[ndarray, "h w"]:
    return ink


def _main_parts(ink: Bool[ndarray, "h w"]) -> Bool[ndarray, "h w"]:
    """Without specks, and what lies far from the largest part."""
    parts, n_parts = ndimage.label(ink, _EVERYWHERE)
    if n_parts < 2:  # noqa: PLR2004 (nothing to choose from)
        return ink
    boxes = ndimage.find_objects(parts)
    extent = np.array([max(s.stop - s.start for s in box) for box in boxes])
    kept = extent >= 0.25 * extent.max()
    main: Bool[ndarray, "h w"] = np.concatenate([[False], kept])[parts]
    return main
