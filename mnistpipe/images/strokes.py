"""Brings the strokes of a digit near the width that MNIST's have."""

import numpy as np
from jaxtyping import Bool, Float32
from numpy import ndarray
from scipy import ndimage

# Widths of strokes that are left alone, as shares of the longer side of the digit's box. Nine in
# ten of MNIST's digits are wider than the first, 99 in 100 are narrower than the second.
THINNEST, THICKEST = 0.10, 0.24
INK = 0.5  # of a full stroke, from which on a pixel counts


def normalise_strokes(ink: Float32[ndarray, "h w"]) -> Float32[ndarray, "a b"]:
    """Strokes that are too thin or too thick are made as wide as MNIST's can be.

    Takes ink 0..1 in its box, and hands back the same in a box that fits the new strokes.
    """
    longest = max(ink.shape)
    width = stroke_width(ink > INK)
    if THINNEST * longest <= width <= THICKEST * longest:
        return ink
    if width < THINNEST * longest:
        grow = (THINNEST * longest - width) / 2 / (1 - THINNEST)  # the box grows with it
        padded = np.pad(ink > INK, int(np.ceil(grow)) + 1)
        wanted = ndimage.distance_transform_edt(~padded) <= grow
    else:
        padded = np.pad(ink > INK, 1)
        wanted = ndimage.distance_transform_edt(padded) > (width - THICKEST * longest) / 2
    box: Float32[ndarray, "a b"] = wanted[ndimage.find_objects(wanted.astype(np.uint8))[0]]
    return box.astype(np.float32)


def stroke_width(ink: Bool[ndarray, "h w"]) -> float:
    """In pixels: four times the mean distance to the stroke's edge, as for a long straight one.

    Distances are counted from pixel to pixel, which is half a pixel too much.
    """
    padded = np.pad(ink, 1)
    distance = ndimage.distance_transform_edt(padded)
    return max(1.0, 4 * (float(distance[padded].mean()) - 0.5))
