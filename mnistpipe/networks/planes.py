"""Convolution of few channels with pooling by windows of 2x2, plane by plane, compiled by Numba.

With one input channel or eight, sums are too short for a library's matrix products. Here a row of
the kernel is added to a whole plane of pixels at once, which becomes vector code, and a channel's
map is pooled before the next one is computed, so that it never leaves the cache. Channels that
dropout drops are not computed, and those that come in as zeros not multiplied by.

Arrays hold channels last and are contiguous: images are (n, rows, columns * c_in), what comes of
them (n, h, w, c_out). Images have as many rows and columns as their kernels reach, or more.
"""

import numpy as np
from numpy import ndarray

from mnistpipe.networks.compiled import compiled, inlined, run

WINDOW = 2


def convolve_planes(
    image: ndarray,
    weight: ndarray,
    bias: ndarray,
    kept: ndarray,
    output: ndarray,
    places: ndarray,
    n_parts: int,
) -> None:
    """Convolve, pool by the largest of 2x2, rectify, and drop channels.

    Args:
        image: with its padding, (n, rows, columns * c_in).
        weight: the kernels, (c_out, c_in, side, side).
        bias: (c_out,).
        kept: what each channel of each image is multiplied by, (n, c_out); 0 drops it.
        output: filled with what comes of it, (n, h, w, c_out).
        places: filled with which place of its window was the largest, row * 2 + column, in bytes,
            likewise.
        n_parts: into how many parts the images are cut, to be worked on side by side.

    """
    arguments = image, weight, bias, kept, output, places
    run(_convolve, n_parts, (weight.shape[-1],), arguments)


def add_weight_gradients(
    gradient: ndarray,
    output: ndarray,
    places: ndarray,
    kept: ndarray,
    image: ndarray,
    to_weight: ndarray,
    to_bias: ndarray,
) -> None:
    """Add the gradients of the weights and biases of a layer of one channel to the last two.

    Args:
        gradient: of the output, (n, h, w, c_out).
        output: as `convolve_planes` filled it; where it is zero, no gradient is let through.
        places: likewise.
        kept: as it was there.
        image: likewise, (n, rows, columns).
        to_weight: (parts, c_out, side, side): the images are cut into as many parts, which are
            worked on side by side.
        to_bias: (parts, c_out).

    """
    arguments = gradient, output, places, kept, image, to_weight, to_bias
    run(_add, len(to_weight), (to_weight.shape[-1],), arguments)


@compiled("contract", "reassoc", "nsz", "nnan")
def _convolve(  # noqa: C901 (a nest of loops, slower when cut)
    part: int,
    n_parts: int,
    side: tuple[int, ...],
    image: ndarray,
    weight: ndarray,
    bias: ndarray,
    kept: ndarray,
    output: ndarray,
    places: ndarray,
) -> None:
    n_images, height, width, n_out = output.shape
    n_in = weight.shape[1]
    n_rows, stride = image.shape[1], image.shape[2] // n_in
    # Behind each plane is what the last row of a kernel may reach.
    planes = np.zeros((n_in, n_rows * stride + len(side)), np.float32)
    empty = np.zeros(n_in, np.bool_)
    channel_map = np.empty(WINDOW * height * stride, np.float32)
    row, row_places = np.empty(width, np.float32), np.empty(width, np.int32)
    for i in range(part * n_images // n_parts, (part + 1) * n_images // n_parts):
        for b in range(n_in):
            empty[b] = _take_plane(image[i].reshape(-1), n_in, b, planes[b, : n_rows * stride])
        for c in range(n_out):
            if kept[i, c] == 0:
                output[i, :, :, c], places[i, :, :, c] = 0, 0
                continue
            channel_map[:] = bias[c]
            for b in range(n_in):
                if empty[b]:
                    continue
                for r in range(len(side)):
                    pixels, kernel_row = planes[b, r * stride :], weight[c, b, r]
                    for p in range(len(channel_map)):
                        total = channel_map[p]
                        for s in range(len(side)):
                            total += kernel_row[s] * pixels[p + s]
                        channel_map[p] = total
            for y in range(height):
                upper = channel_map[WINDOW * y * stride :]
                _pool_row(upper, upper[stride:], kept[i, c], row, row_places)
                for x in range(width):
                    output[i, y, x, c] = row[x]
                    places[i, y, x, c] = row_places[x]


@inlined
def _take_plane(pixels: ndarray, n_in: int, channel: int, plane: ndarray) -> bool:
    """Copy one channel; says whether it is zero."""
    largest = np.float32(0)
    for p in range(len(plane)):
        value = pixels[p * n_in + channel]
        plane[p] = value
        largest = max(largest, abs(value))
    return bool(largest == 0)


@inlined
def _pool_row(
    upper: ndarray, lower: ndarray, kept: float, row: ndarray, row_places: ndarray
) -> None:
    """Windows of two rows of a map; the first of equal numbers counts."""
    for x in range(len(row)):
        a, b, c, d = upper[2 * x], upper[2 * x + 1], lower[2 * x], lower[2 * x + 1]
        first = b if b > a else a  # noqa: FURB136 (`max` is compiled to a tenth more time)
        second = d if d > c else c  # noqa: FURB136 (likewise)
        largest = second if second > first else first  # noqa: FURB136 (likewise)
        first_place = np.int32(1) if b > a else np.int32(0)
        second_place = np.int32(3) if d > c else np.int32(2)
        row[x] = (largest if largest > 0 else np.float32(0)) * kept
        row_places[x] = second_place if second > first else first_place


@compiled("contract", "reassoc", "nsz", "nnan")
def _add(
    part: int,
    n_parts: int,
    side: tuple[int, ...],
    gradient: ndarray,
    output: ndarray,
    places: ndarray,
    kept: ndarray,
    image: ndarray,
    to_weight: ndarray,
    to_bias: ndarray,
) -> None:
    n_images, height, _, n_out = gradient.shape
    stride = image.shape[2]
    # One map more than there are channels, as they are taken in pairs.
    maps = np.empty((n_out + 1, WINDOW * height * stride), np.float32)
    live = np.zeros(n_out + 1, np.int64)
    for i in range(part * n_images // n_parts, (part + 1) * n_images // n_parts):
        n_live = _find_live(kept[i], live)
        maps[: n_live + 1] = 0
        _spread(
            gradient[i],
            output[i],
            places[i],
            kept[i],
            stride,
            live[:n_live],
            maps,
            to_bias[part],
        )
        pixels = image[i].reshape(-1)
        for m in range(0, n_live, 2):
            first, second = maps[m], maps[m + 1]
            for r in range(len(side)):
                for s in range(len(side)):
                    below = pixels[r * stride + s :]
                    to_first, to_second = np.float32(0), np.float32(0)
                    for p in range(len(first) - s):  # the last ones are no places of the map
                        to_first += first[p] * below[p]
                        to_second += second[p] * below[p]
                    to_weight[part, live[m], r, s] += to_first
                    if m + 1 < n_live:
                        to_weight[part, live[m + 1], r, s] += to_second


@inlined
def _find_live(kept: ndarray, live: ndarray) -> int:
    """List the channels that are not dropped; says how many there are."""
    n_live = 0
    for c in range(len(kept)):
        if kept[c] != 0:
            live[n_live] = c
            n_live += 1
    return n_live


@inlined
def _spread(
    gradient: ndarray,
    output: ndarray,
    places: ndarray,
    kept: ndarray,
    stride: int,
    live: ndarray,
    maps: ndarray,
    to_bias: ndarray,
) -> None:
    """Put the gradients of pooled places where they belong in the maps of the live channels."""
    height, width, n_out = gradient.shape
    let_through, at = np.empty(n_out, np.float32), np.empty(n_out, np.uint32)
    for y in range(height):
        for x in range(width):
            corner = np.uint32(WINDOW * (y * stride + x))
            for c in range(n_out):
                value = gradient[y, x, c] * kept[c]
                let_through[c] = value if output[y, x, c] > 0 else np.float32(0)
            for c in range(n_out):
                to_bias[c] += let_through[c]
            for c in range(n_out):
                place = np.uint32(places[y, x, c])
                row, column = place >> np.uint32(1), place & np.uint32(1)
                at[c] = corner + row * np.uint32(stride) + column
            for m in range(len(live)):
                channel = np.uint64(live[m])  # no sign: an index never counts from the end
                maps[np.uint64(m), at[channel]] = let_through[channel]
