"""Tells the digit's ink from what else is on the paper: rules, frames, specks, neighbours."""

import numpy as np
from jaxtyping import Bool, Float32
from numpy import ndarray
from scipy import ndimage

SPAN = 0.75  # share of the picture's width or height that a line across it takes at least
FAINT = 0.25  # share of the full ink's contrast from which on a rule is seen
FAINTER = 0.8  # share of it up to which a line is taken for a rule, whatever it crosses
# Of the digit's size: a part that is larger than the first and nearer than the second belongs to
# it, and so does one that is larger than the third and within its box.
LARGE, NEAR, SMALL = 0.25, 0.25, 0.12
AROUND = np.ones((3, 3), dtype=bool)  # a pixel and its neighbours, the diagonal ones, too


def without_rules(contrast: Float32[ndarray, "h w"], lightest: float) -> Bool[ndarray, "h w"]:
    """Where there is ink, lines across the picture apart, as of ruled paper or a frame.

    Lines that are fainter than the ink are rules. Others can be a digit's own, in a picture that is
    cut to its box: so they are if something else reaches their ends, as in 2, 4, 5 and 7, or if
    nothing else is there.

    Args:
        contrast: of the picture, 1 for full ink.
        lightest: contrast from which on it is ink.

    """
    faint = contrast > FAINT
    lines = _lines(faint) | _lines(faint.T).T
    if not lines.any():
        return contrast > lightest
    ink = contrast > lightest
    rest = ink & ~lines
    if rest.any():  # of both there are edges, which are fainter
        of_lines, of_rest = (
            float(np.percentile(contrast[part], 75)) for part in (lines & faint, rest)
        )
        if of_lines < FAINTER * of_rest:
            return contrast > max(lightest, (of_lines + of_rest) / 2)
    rules = [_lines(ink), _lines(ink.T).T]
    rest = main_parts(ink & ~(rules[0] | rules[1]))
    for axis, rule in enumerate(rules):
        if rule.any() and not _juts_out(np.any(rule, axis=axis), np.any(rest, axis=axis)):
            rules[axis] = np.zeros_like(rule)
    both = rules[0] | rules[1]
    return _bridged(ink & ~both, ink & both)


def _juts_out(rule: Bool[ndarray, " n"], rest: Bool[ndarray, " n"]) -> bool:
    """Whether a line goes on to both sides of the rest, which is of some size."""
    if not rest.any():
        return False
    reach, span = np.flatnonzero(rest), np.flatnonzero(rule)
    margin = 0.05 * len(rest)
    return bool(reach[0] >= span[0] + margin and reach[-1] <= span[-1] - margin)


def _bridged(rest: Bool[ndarray, "h w"], taken: Bool[ndarray, "h w"]) -> Bool[ndarray, "h w"]:
    """The rest, with what was taken between two of its strokes' ends."""
    padded = np.pad(rest, 6)
    closed = ndimage.binary_closing(padded, np.ones((9, 3), dtype=bool))
    closed |= ndimage.binary_closing(padded, np.ones((3, 9), dtype=bool))
    bridged: Bool[ndarray, "h w"] = rest | (closed[6:-6, 6:-6] & taken)
    return bridged


def _lines(ink: Bool[ndarray, "h w"]) -> Bool[ndarray, "h w"]:
    """Lines from the left to the right, or nearly so; they may be tilted a little."""
    width = ink.shape[1]
    if ink.any(axis=0).sum() <= SPAN * width:
        return np.zeros_like(ink)
    runs = ndimage.maximum_filter1d(ink, 3, axis=0)
    runs = ndimage.minimum_filter1d(runs, max(3, width // 7), axis=1)
    runs = ndimage.maximum_filter1d(runs, max(3, width // 7), axis=1)
    parts, _ = ndimage.label(runs, AROUND)
    long = [
        columns.stop - columns.start > SPAN * width and rows.stop - rows.start < 0.1 * width
        for rows, columns in ndimage.find_objects(parts)
    ]
    if not any(long):
        return np.zeros_like(ink)
    size = max(4, width // 40)
    thick = ndimage.maximum_filter(ndimage.minimum_filter(ink, size, mode="constant"), size)
    lines: Bool[ndarray, "h w"] = np.array([False, *long])[parts] & ink & ~thick
    return lines


def main_parts(ink: Bool[ndarray, "h w"]) -> Bool[ndarray, "h w"]:
    """The largest part, and what is near and not much smaller: no specks, no neighbours."""
    if not ink.any():
        return ink
    gap = max(3, max(ink.shape) // 64) | 1  # in a pen's or a pixel's broken stroke
    parts, n_parts = ndimage.label(ndimage.maximum_filter(ink, gap), AROUND)
    if n_parts == 1:
        return ink
    parts *= ink
    boxes = ndimage.find_objects(parts)
    edges = np.array([[r.start, c.start, r.stop, c.stop] for r, c in boxes])
    extents = (edges[:, 2:] - edges[:, :2]).max(axis=1)
    main = extents.argmax()
    away = np.maximum(edges[main, :2] - edges[:, 2:], edges[:, :2] - edges[main, 2:]).max(axis=1)
    share, distance = extents / extents[main], away / extents[main]
    kept = (share > LARGE) & (distance < NEAR) | (share > SMALL) & (distance < 0)
    main_ink: Bool[ndarray, "h w"] = np.array([False, *kept])[parts]
    return main_ink
