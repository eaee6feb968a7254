"""The loops behind `convolution`, compiled by Numba: gradients from the places that have one.

Arrays hold channels last. Rows of kernels and of images are flat, (columns * channels), so that a
row of a kernel and the row of the image below it are two stretches of numbers. Numba compiles the
loops at the first call and keeps the result in `__pycache__`, beside this file.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import njit, prange
from numpy import ndarray

AddGradients = Callable[..., None]


@cache
def compile_gradients(  # noqa: C901 (a nest of loops)
    n_rows: int, n_in: int
) -> tuple[AddGradients, AddGradients]:
    """The loops for kernels of `n_rows` rows and columns over `n_in` channels.

    That both are constants makes the loops for a single channel twice as fast.

    Returns:
        A function that adds the gradients of some images, weights and biases to its last three
        arguments, and one that does so for parts of the images side by side. Their arguments:

        gradient: of the pooled output, (n, h, w, c_out), like the next two.
        output: the pooled output; where it is zero, ReLU or dropout let no gradient through.
        places: which place of the convolution's map was the window's largest: row * width + column.
        width: columns of that map.
        scale: what dropout multiplied the output by.
        image: what was convolved, padding included, (n, rows, columns * n_in).
        weight: the kernels, (c_out, n_rows, n_rows * n_in).
        to_image: shaped as image, or without a row: image needs no gradient.
        to_weight: shaped as weight; for the second function, one for each part.
        to_bias: (c_out,); likewise.

    """

    # Division without a check for zero, and multiplication and addition in one instruction.
    @njit(cache=True, error_model="numpy", fastmath={"contract"})
    def add(
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

    @njit(cache=True, parallel=True)
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
            add(
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

    return add, add_in_parallel


@njit(inline="always")  # a call would take as long as what it does
def _add_scaled(target: ndarray, factor: float, numbers: ndarray, n: int) -> None:
    for j in range(n):
        target[j] += factor * numbers[j]
