"""The loops behind `convolution`, compiled by Numba: gradients from the places that have one.

Arrays hold channels last. Rows of kernels and of images are flat, (columns * channels), so that a
row of a kernel and the row of the image below it are two stretches of numbers. What Numba has
compiled it keeps in `__pycache__`, beside this file, or in the user's cache folder.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import njit, prange
from numpy import ndarray


def add_gradients(
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
    """Add the gradients of images, weights and biases to the last three arguments.

    All arrays are contiguous, of single precision but for `places`.

    Args:
        gradient: of the pooled output, (n, h, w, c_out), like the next two.
        output: the pooled output; where it is zero, ReLU or dropout let no gradient through.
        places: 64-bit integers: which place of the convolution's map was the window's largest,
            row * width + column.
        width: columns of that map.
        scale: what dropout multiplied the output by.
        image: what was convolved, padding included, (n, rows, columns * c_in).
        weight: the kernels, (c_out, side, side * c_in).
        to_image: shaped as image, or without a row: image needs no gradient.
        to_weight: (parts, c_out, side, side * c_in): the images are cut into as many parts, which
            are worked on side by side.
        to_bias: (parts, c_out).

    """
    side = weight.shape[1]
    # To Numba the length of a tuple is a constant, for which it compiles loops of their own: short
    # ones are unrolled.
    sizes = (0,) * side, (0,) * (weight.shape[2] // side)
    maps, layer = (gradient, output, places), (width, np.float32(scale), image, weight)
    if len(to_weight) == 1:
        _run(_add_part, *sizes, *maps, *layer, to_image, to_weight[0], to_bias[0])
    else:
        _run(_add_parts, *sizes, *maps, *layer, to_image, to_weight, to_bias)


def _run(compiled: Callable[..., None], *arguments: object) -> None:
    """Call a compiled function, whose first call with arguments of new types compiles it anew."""
    try:
        compiled(*arguments)
    except OSError:  # a full disk: it is compiled all the same, though not kept
        compiled(*arguments)


def _kept(**options: Any) -> Callable[[Callable[..., None]], Callable[..., None]]:  # noqa: ANN401 (as Numba takes them)
    """Compile a function, and keep the result where there is a folder for it."""

    def compile_and_keep(function: Callable[..., None]) -> Callable[..., None]:
        try:
            compiled: Callable[..., None] = njit(cache=True, **options)(function)
        except RuntimeError:  # no folder to keep it in
            compiled = njit(**options)(function)
        return compiled

    return compile_and_keep


@njit(inline="always")  # a call would take as long as what it does
def _add_scaled(
    target: ndarray, start: int, factor: float, numbers: ndarray, from_: int, n: int
) -> None:
    """Add stretches of numbers that are long enough to become vector code."""
    target, numbers = target[start : start + n], numbers[from_ : from_ + n]
    for j in range(n):
        target[j] += factor * numbers[j]


@njit(inline="always")
def _add_scaled_short(
    target: ndarray, start: int, factor: float, numbers: ndarray, from_: int, n: int
) -> None:
    """The same for a few numbers, a constant: without a slice, whose bounds take as long."""
    to, of = np.uint64(start), np.uint64(from_)  # without a sign: counts never from the end
    for j in range(n):
        target[to + np.uint64(j)] += factor * numbers[of + np.uint64(j)]


# Division without a check for zero, and multiplication and addition in one instruction.
@_kept(error_model="numpy", fastmath={"contract"})
def _add_part(  # noqa: C901 (a nest of loops)
    side: tuple[int, ...],
    channels: tuple[int, ...],
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
    n_rows, n_in = len(side), len(channels)
    row_length = n_rows if n_in == 1 else weight.shape[2]  # a constant, or not
    # Small kernels stay in the cache: then the maps are best read in their order.
    n_outer = 1 if n_in == 1 else n_out
    n_inner = n_out // n_outer
    image_wanted = len(to_image) == n_images
    stride, divisor = image.shape[2], np.uint32(width)  # much faster than 64 bits with a sign
    pixels, to_pixels = image.reshape(-1), to_image.reshape(-1)
    kernels, to_kernels = weight.reshape(-1), to_weight.reshape(-1)
    for i in range(n_images):
        for outer in range(n_outer):
            for y in range(height):
                for x in range(breadth):
                    for inner in range(n_inner):
                        c = outer * n_inner + inner
                        if output[i, y, x, c] == 0:
                            continue
                        value = gradient[i, y, x, c] * scale
                        if value == 0:
                            continue
                        to_bias[c] += value
                        place = np.uint32(places[i, y, x, c])
                        top, left = np.int64(place // divisor), np.int64(place % divisor)
                        pixel = (i * image.shape[1] + top) * stride + left * n_in
                        kernel = c * n_rows * row_length
                        for row in range(n_rows):
                            at, of = kernel + row * row_length, pixel + row * stride
                            if n_in == 1:
                                _add_scaled_short(to_kernels, at, value, pixels, of, row_length)
                            else:
                                _add_scaled(to_kernels, at, value, pixels, of, row_length)
                        if image_wanted:
                            for row in range(n_rows):
                                at, of = pixel + row * stride, kernel + row * row_length
                                _add_scaled(to_pixels, at, value, kernels, of, row_length)


@_kept(parallel=True)
def _add_parts(
    side: tuple[int, ...],
    channels: tuple[int, ...],
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
    n_parts, n_images = len(to_weight), len(gradient)
    for part in prange(n_parts):
        start, end = part * n_images // n_parts, (part + 1) * n_images // n_parts
        _add_part(
            side,
            channels,
            gradient[start:end],
            output[start:end],
            places[start:end],
            width,
            scale,
            image[start:end],
            weight,
            to_image[start:end],
            to_weight[part],
            to_bias[part],
        )
