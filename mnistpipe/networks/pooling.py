"""Pooling by the largest number of each window, ReLU and dropout in one pass, compiled by Numba.

Arrays hold channels last and are contiguous; all channels of a place are worked on at once.
"""

import numpy as np
from numpy import ndarray

from mnistpipe.networks.compiled import compiled


def pool_maps(maps: ndarray, window: int, kept: ndarray, output: ndarray, places: ndarray) -> None:
    """Pool, rectify, and drop channels.

    Args:
        maps: (n, rows, columns, c), at least as large as the windows.
        window: side of the windows; 1 pools nothing.
        kept: what each channel of each image is multiplied by, (n, c); 0 drops it.
        output: filled with what comes of it, (n, h, w, c).
        places: filled with which place of its window was the largest, row * window + column, in
            bytes, likewise; the first of equal numbers counts.

    """
    _pool(maps, window, kept, output, places)


@compiled("contract", "nnan")
def _pool(
    maps: ndarray,
    window: int,
    kept: ndarray,
    output: ndarray,
    places: ndarray,
) -> None:
    n_images, height, width, n = output.shape
    for i in range(n_images):
        for y in range(height):
            for x in range(width):
                best, best_place = output[i, y, x], places[i, y, x]
                best[:], best_place[:] = 0, 0  # ReLU: nothing below zero counts
                for place in range(window * window):
                    row, column = y * window + place // window, x * window + place % window
                    numbers, here = maps[i, row, column], np.uint8(place)
                    for c in range(n):
                        larger = numbers[c] > best[c]
                        best[c] = numbers[c] if larger else best[c]
                        best_place[c] = here if larger else best_place[c]
                factors = kept[i]
                for c in range(n):
                    best[c] *= factors[c]
