"""Brings the strokes of a digit near the width that MNIST's have."""

import numpy as np
from jaxtyping import Bool, Float32
from numpy import ndarray
from scipy import ndimage

FINENESS = 160  # pixels of the box's longer side in which strokes are widened
THINNEST, THICKEST = 0.10, 0.24  # width of strokes, as a share of that side, that are left alone
INK = 0.5  # of a full stroke, from which on a pixel counts


def stroke_width(ink: Bool[ndarray, "h w"]) -> float:
    """In pixels: across a long stroke the distance to its edge is a quarter of its width on average.

    Half a pixel is taken off, as distances are counted from the middle of pixels.
    """
    padded = np.pad(ink, 1)
    distance = ndimage.distance_transform_edt(padded)
    return max(1.0, 4 * (float(distance[padded].mean()) - 0.5))


def normalise_strokes(ink: Float32[ndarray, "h w"]) -> Float32[ndarray, "a b"]:
    """Ink 0..1 in its box; so is what is handed back, in a box that the new strokes fill."""
    longest = max(ink.shape)
    width = stroke_width(ink > INK)
    if THINNEST * longest <= width <= THICKEST * longest:
        return ink
    if width < THINNEST * longest:
        grow = (THINNEST * longest - width) / 2 / (1 - THINNEST)
        margin = int(np.ceil(grow)) + 1
        padded = np.pad(ink > INK, margin)
        wide = ndimage.distance_transform_edt(~padded) <= grow
    else:
        shrink = (width - THICKEST * longest) / 2
        padded = np.pad(ink > INK, 1)
        wide = ndimage.distance_transform_edt(padded) > shrink
    rows, columns = ndimage.find_objects(wide.astype(np.uint8))[0]
    return wide[rows, columns].astype(np.float32)
