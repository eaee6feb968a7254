"""The loops behind `convolution`, compiled by Numba: gradients from the places that have one.

Arrays hold channels last. Rows of kernels and of images are flat, (columns * channels), so that a
row of a kernel and the row of the image below it are two stretches of numbers. What Numba has
compiled it keeps in `__pycache__`, beside this file, or in the user's cache folder.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

import numpy as np
from numba import njit, prange
from numpy import ndarray

_MAPS, _PLACES, _ROWS = "float32[:, :, :, ::1]", "int64[:, :, :, ::1]", "float32[:, :, ::1]"
_GIVEN = f"{_MAPS}, {_MAPS}, {_PLACES}, int64, float64, {_ROWS}, {_ROWS}, {_ROWS}"


@cache
def compile_gradients(  # noqa: C901 (a nest of loops)
    n_rows: int, n_in: int, *, parallel: bool
) -> Callable[..., None]:
    """The loops for kernels of `n_rows` rows and columns over `n_in` channels.

    That both are constants makes the loops for a single channel twice as fast.

    Returns:
        A function that adds the gradients of images, weights and biases to its last three
        arguments; if it is parallel, side by side for as many parts of the images as `to_weight`
        and `to_bias` have places for. Its arguments:

        gradient: of the pooled output, (n, h, w, c_out), like the next two.
        output: the pooled output; where it is zero, ReLU or dropout let no gradient through.
        places: which place of the convolution's map was the window's largest: row * width + column.
        width: columns of that map.
        scale: what dropout multiplied the output by.
        image: what was convolved, padding included, (n, rows, columns * n_in).
        weight: the kernels, (c_out, n_rows, n_rows * n_in).
        to_image: shaped as image, or without a row: image needs no gradient.
        to_weight: shaped as weight; if parallel, one for each part.
        to_bias: (c_out,); likewise.

    """

    def add_part(
        gradient: ndarray,
        output: ndarray,
        places: ndarray,
        width: int,
        scale: float,
        image: ndarray,
        weight: ndarray,
        to_image: ndarray,
        to_weight: ndarray,
        to_bias: ndarray,
    ) -> None:
        n_images, height, breadth, n_out = gradient.shape
        # A short loop is best unrolled, for which its length has to be known here; a longer one
        # becomes vector code only if it is not.
        row_length = n_rows if n_in == 1 else weight.shape[2]
        divisor = np.uint32(width)  # much faster than 64 bits with a sign
        factor = np.float32(scale)
        image_wanted = len(to_image) == n_images
        for i in range(n_images):
            for c in range(n_out):
                for y in range(height):
                    for x in range(breadth):
                        if output[i, y, x, c] == 0:
                            continue
                        value = gradient[i, y, x, c] * factor
                        if value == 0:
                            continue
                        to_bias[c] += value
                        place = np.uint32(places[i, y, x, c])
                        top = np.int64(place // divisor)
                        left = np.int64(place % divisor) * n_in
                        for row in range(n_rows):
                            patch = image[i, top + row, left : left + row_length]
                            _add_scaled(to_weight[c, row], value, patch, row_length)
                        if image_wanted:
                            for row in range(n_rows):
                                patch = to_image[i, top + row, left : left + row_length]
                                _add_scaled(patch, value, weight[c, row], row_length)

    # Division without a check for zero, and multiplication and addition in one instruction.
    options = {"error_model": "numpy", "fastmath": {"contract"}}
    add_part = _compile(add_part, f"void({_GIVEN}, {_ROWS}, float32[::1])", options)
    if not parallel:
        return add_part

    def add_in_parallel(
        gradient: ndarray,
        output: ndarray,
        places: ndarray,
        width: int,
        scale: float,
        image: ndarray,
        weight: ndarray,
        to_image: ndarray,
        to_weights: ndarray,
        to_biases: ndarray,
    ) -> None:
        n_parts, n_images = len(to_weights), len(gradient)
        for part in prange(n_parts):
            start, end = part * n_images // n_parts, (part + 1) * n_images // n_parts
            add_part(
                gradient[start:end],
                output[start:end],
                places[start:end],
                width,
                scale,
                image[start:end],
                weight,
                to_image[start:end],
                to_weights[part],
                to_biases[part],
            )

    signature = f"void({_GIVEN}, {_MAPS}, float32[:, ::1])"
    return _compile(add_in_parallel, signature, {"parallel": True})


def _compile(
    function: Callable[..., None], signature: str, options: dict[str, Any]
) -> Callable[..., None]:
    """Compile a function for arguments of these types, and keep the result if there is room."""
    try:
        compiled = njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to keep it in
        compiled = njit(**options)(function)
    with suppress(OSError):  # a full disk: it is compiled all the same
        compiled.compile(signature)
    result: Callable[..., None] = compiled
    return result


@njit(inline="always")  # a call would take as long as what it does
def _add_scaled(target: ndarray, factor: float, numbers: ndarray, n: int) -> None:
    for j in range(n):
        target[j] += factor * numbers[j]
