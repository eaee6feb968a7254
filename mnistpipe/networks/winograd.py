"""Convolution by kernels of 5x5 by Winograd's minimal filtering, for many channels on a processor.

The map is computed in tiles of 4x4. A tile is a polynomial product, which is cheap where
polynomials are given by their values: of 8x8 input pixels and of the kernel the values at 8x8
points are formed, multiplied, summed over the input channels, and turned back into the tile. That
takes 64 multiplications where the sum of products takes 400. The products are a library's matrix
product; what comes before and after is compiled by Numba. See A. Lavin and S. Gray, Fast Algorithms
for Convolutional Neural Networks (2015), and A. Toom (1963) and S. Cook (1966) for the points.

Rounding errors are some times larger than those of the sum of products: about 1e-5 of the result.
"""

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from mnistpipe.networks.compiled import compiled, inlined, run

KERNEL, TILE = 5, 4
_POINTS = (0, 1, -1, 2, -2, 1 / 2, -1 / 2)  # and infinity, where the leading coefficient counts
_N = len(_POINTS) + 1
_AT_ONCE = 16  # images for each thread
# How much larger than the interpolation's the values of `_form_values` are, which saves divisions.
_SCALES = (1, -4.5, -4.5, 90, 90, 1.40625, 1.40625, 1)


def _kernel_values() -> Tensor:
    """The matrix (64, 25) from a kernel's weights to its values at all pairs of points."""
    powers = np.vstack([np.vander(_POINTS, KERNEL, increasing=True), np.eye(KERNEL)[-1]])
    powers /= np.array(_SCALES)[:, np.newaxis]
    return torch.from_numpy(np.kron(powers, powers)).float()


_TO_KERNEL_VALUES = _kernel_values()


def convolve_winograd(image: ndarray, weight: Tensor, bias: ndarray, n_parts: int) -> ndarray:
    """The maps of a convolution, (n, side - 4, side - 4, c_out).

    Args:
        image: with its padding, (n, side, side * c_in); the side is a multiple of four.
        weight: the kernels, (c_out, c_in, 5, 5).
        bias: (c_out,).
        n_parts: into how many parts the images are cut, to be worked on side by side.

    """
    (n_images, side, _), (n_out, n_in) = image.shape, weight.shape[:2]
    flat = weight.detach().permute(2, 3, 1, 0).reshape(KERNEL * KERNEL, n_in * n_out)
    kernel_values = (_TO_KERNEL_VALUES @ flat).view(_N * _N, n_in, n_out)
    # Some images at a time: what lies between the loops stays in the cache.
    n_at_once, n_tiles = _AT_ONCE * n_parts, ((side - KERNEL + 1) // TILE) ** 2
    values = weight.new_empty(_N * _N, n_at_once * n_tiles, n_in)
    products = weight.new_empty(_N * _N, n_at_once * n_tiles, n_out)
    maps = weight.new_empty(n_images, side - KERNEL + 1, side - KERNEL + 1, n_out).numpy()
    for start in range(0, n_images, n_at_once):
        these = slice(start, start + n_at_once)
        run(_to_values, n_parts, (side, n_in), (image[these], values.numpy()))
        torch.bmm(values, kernel_values, out=products)
        _from_values((0,) * n_out, products.numpy(), bias, maps[these])
    return maps


@inlined
def _form_values(pixels: ndarray, values: ndarray, step: int, n: int) -> None:
    """Eight stretches of `n` pixels, `step` apart, become as many of values.

    These are the transposed interpolation's times `_SCALES`. Points of equal size and opposite
    sign share the even and the odd half.
    """
    f = np.float32
    for p in range(n):
        d0, d1, d2, d3 = pixels[p], pixels[p + step], pixels[p + 2 * step], pixels[p + 3 * step]
        d4, d5, d6 = pixels[p + 4 * step], pixels[p + 5 * step], pixels[p + 6 * step]
        d7 = pixels[p + 7 * step]
        even_1, odd_1 = d2 + d6 - f(4.25) * d4, d1 + d5 - f(4.25) * d3
        even_2 = f(0.25) * d2 + d6 - f(1.25) * d4
        odd_2 = f(0.5) * d1 + f(2) * d5 - f(2.5) * d3
        even_half = f(4) * d2 + d6 - f(5) * d4
        odd_half = f(2) * d1 + f(0.5) * d5 - f(2.5) * d3
        values[p] = d0 - d6 + f(5.25) * (d4 - d2)
        values[p + step] = even_1 + odd_1
        values[p + 2 * step] = even_1 - odd_1
        values[p + 3 * step] = even_2 + odd_2
        values[p + 4 * step] = even_2 - odd_2
        values[p + 5 * step] = even_half + odd_half
        values[p + 6 * step] = even_half - odd_half
        values[p + 7 * step] = d7 - d1 + f(5.25) * (d3 - d5)


@inlined
def _form_map(
    m0: ndarray,
    m1: ndarray,
    m2: ndarray,
    m3: ndarray,
    m4: ndarray,
    m5: ndarray,
    m6: ndarray,
    m7: ndarray,
    places: ndarray,
    step: int,
    n: int,
) -> None:
    """Eight stretches of `n` products become four places of a map in a row, `step` apart."""
    f = np.float32
    for p in range(n):
        sum_1, difference_1 = m1[p] + m2[p], m1[p] - m2[p]
        sum_2, difference_2 = m3[p] + m4[p], m3[p] - m4[p]
        sum_half, difference_half = m5[p] + m6[p], m5[p] - m6[p]
        places[p] = m0[p] + sum_1 + sum_2 + sum_half
        places[p + step] = difference_1 + f(2) * difference_2 + f(0.5) * difference_half
        places[p + 2 * step] = sum_1 + f(4) * sum_2 + f(0.25) * sum_half
        places[p + 3 * step] = (
            difference_1 + f(8) * difference_2 + f(0.125) * difference_half + m7[p]
        )


@compiled("contract", "nsz", "nnan")
def _to_values(
    part: int,
    n_parts: int,
    columns: tuple[int, ...],
    channels: tuple[int, ...],
    image: ndarray,
    values: ndarray,
) -> None:
    """Fill `values`, (64, tiles, channels), with those of the images' tiles."""
    n, n_images = len(channels), len(image)
    row, per_row = len(columns) * n, (len(columns) - KERNEL + 1) // TILE
    half = np.empty(_N * row, np.float32)  # values along the columns alone
    whole = np.empty(_N * n, np.float32)
    for i in range(part * n_images // n_parts, (part + 1) * n_images // n_parts):
        for y in range(per_row):
            _form_values(image[i].reshape(-1)[TILE * y * row :], half, row, row)
            for x in range(per_row):
                tile = (i * per_row + y) * per_row + x
                for u in range(_N):
                    _form_values(half[u * row + TILE * x * n :], whole, n, n)
                    for v in range(_N):
                        to = values[u * _N + v, tile]
                        for p in range(n):
                            to[p] = whole[v * n + p]


@compiled("contract", "nsz", "nnan")
def _from_values(
    channels: tuple[int, ...],
    products: ndarray,
    bias: ndarray,
    maps: ndarray,
) -> None:
    """Fill the maps from the `products` of their tiles, (64, tiles, channels)."""
    n, n_images, per_row = len(channels), len(maps), maps.shape[1] // TILE
    half = np.empty(TILE * _N * n, np.float32)
    row = np.empty(TILE * n, np.float32)
    for i in range(n_images):
        for y in range(per_row):
            for x in range(per_row):
                tile = (i * per_row + y) * per_row + x
                for v in range(_N):
                    _form_map(
                        products[v, tile],
                        products[v + _N, tile],
                        products[v + 2 * _N, tile],
                        products[v + 3 * _N, tile],
                        products[v + 4 * _N, tile],
                        products[v + 5 * _N, tile],
                        products[v + 6 * _N, tile],
                        products[v + 7 * _N, tile],
                        half[v * n :],
                        _N * n,
                        n,
                    )
                for u in range(TILE):
                    m = half[u * _N * n :]
                    _form_map(
                        m,
                        m[n:],
                        m[2 * n :],
                        m[3 * n :],
                        m[4 * n :],
                        m[5 * n :],
                        m[6 * n :],
                        m[7 * n :],
                        row,
                        n,
                        n,
                    )
                    for v in range(TILE):
                        place = maps[i, TILE * y + u, TILE * x + v]
                        for p in range(n):
                            place[p] = row[v * n + p] + bias[p]
