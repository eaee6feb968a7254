"""Gradients of a convolution from the places that have one, compiled by Numba.

Max pooling leaves one place of a window with a gradient; ReLU and dropout stop many of these, too.
Each of the others adds to two blocks of numbers, the kernel's gradient and the image's: the same
sums as a dense convolution's without its zeros.

Arrays hold channels last and are contiguous. Rows of kernels and of images are flat, (columns *
channels), so that a row of a kernel and the row of the image below it are two stretches of numbers.
"""

import numpy as np
from numpy import ndarray

from mnistpipe.networks.compiled import compiled, inlined, run


def add_gradients(
    gradient: ndarray,
    output: ndarray,
    places: ndarray,
    kept: ndarray,
    window: int,
    image: ndarray,
    weight: ndarray,
    to_image: ndarray,
    to_weight: ndarray,
    to_bias: ndarray,
) -> None:
    """Add the gradients of weights and biases to the last two arguments; fill in the images'.

    Args:
        gradient: of the pooled output, (n, h, w, c_out), like the next two.
        output: the pooled output; where it is zero, ReLU or dropout let no gradient through.
        places: which place of its window was the largest, row * window + column, in bytes.
        kept: what dropout multiplied each channel of each image by, (n, c_out).
        window: side of the pooling windows.
        image: what was convolved, padding included, (n, rows, columns * c_in).
        weight: the kernels, (c_out, side, side * c_in).
        to_image: filled with the images' gradients; without a row, if they need none.
        to_weight: (parts, c_out, side, side * c_in): the images are cut into as many parts, which
            are worked on side by side.
        to_bias: (parts, c_out).

    """
    given, results = (output, places, kept, window, image, weight), (to_image, to_weight, to_bias)
    run(_add, len(to_weight), (), (gradient, *given, *results))


@inlined
def _add_scaled(
    target: ndarray, start: int, factor: float, numbers: ndarray, from_: int, n: int
) -> None:
    target, numbers = target[start : start + n], numbers[from_ : from_ + n]
    for j in range(n):
        target[j] += factor * numbers[j]


@compiled("contract")
def _add(  # noqa: C901 (a nest of loops)
    part: int,
    n_parts: int,
    gradient: ndarray,
    output: ndarray,
    places: ndarray,
    kept: ndarray,
    window: int,
    image: ndarray,
    weight: ndarray,
    to_image: ndarray,
    to_weight: ndarray,
    to_bias: ndarray,
) -> None:
    n_images, height, width, n_out = gradient.shape
    n_rows, n = weight.shape[1], weight.shape[2]
    n_in, stride = n // n_rows, image.shape[2]
    image_wanted = len(to_image) == n_images
    pixels, to_pixels = image.reshape(-1), to_image.reshape(-1)
    kernels, to_kernels = weight.reshape(-1), to_weight[part].reshape(-1)
    for i in range(part * n_images // n_parts, (part + 1) * n_images // n_parts):
        if image_wanted:
            to_image[i] = 0
        for c in range(n_out):  # one after the other: a kernel stays in the cache
            if kept[i, c] == 0:
                continue
            for y in range(height):
                for x in range(width):
                    value = gradient[i, y, x, c] * kept[i, c]
                    if output[i, y, x, c] == 0 or value == 0:
                        continue
                    to_bias[part, c] += value
                    place = np.int64(places[i, y, x, c])
                    top, left = y * window + place // window, x * window + place % window
                    pixel = (i * image.shape[1] + top) * stride + left * n_in
                    kernel = c * n_rows * n
                    for row in range(n_rows):
                        at, of = kernel + row * n, pixel + row * stride
                        _add_scaled(to_kernels, at, value, pixels, of, n)
                    if image_wanted:
                        for row in range(n_rows):
                            at, of = pixel + row * stride, kernel + row * n
                            _add_scaled(to_pixels, at, value, kernels, of, n)
