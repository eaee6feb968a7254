"""Finds the ink of the one digit in a picture: photographs and scans as well as drawings."""

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from numpy import ndarray
from PIL import Image
from scipy import ndimage

from mnistpipe.files.errors import UserError
from mnistpipe.images.rules import AROUND, main_parts, without_rules

LONGEST = 480  # pixels of a side that are looked at; a photograph has more than are needed
FAINTEST = 20  # grey levels by which ink differs from paper at least ...
ABOVE_NOISE = 6.0  # ... and as often the standard deviation of the paper's
LIGHTEST = 0.4  # share of the full ink's contrast from which on a pixel is ink
EVEN = 24  # grey levels by which even paper differs from place to place at most
DOUBT = 0.25  # how much more than half of the picture has to be light to say that paper is
SOFT = 0.1  # share of all contrast that lies between neighbouring pixels at a sharp edge at least
SMALLEST_PAGE = 0.1  # share of the picture that a sheet of paper in it takes at least
RECTANGULAR = 0.82  # share of the rectangle around it that it takes, seen at an angle
DRAWN = (0.001, 0.25)  # share of it that a digit takes


class EmptyImageError(UserError):
    """Nothing is drawn in a picture."""

    def __init__(self) -> None:
        """Its text may follow the picture's name."""
        super().__init__("is empty: nothing is drawn there.")


def find_ink(grey: UInt8[ndarray, "h w"]) -> Float32[ndarray, "a b"]:
    """How much ink is where, 0..1, in the box around the digit.

    Raises EmptyImageError if there is none.
    """
    shrunk = _shrunk(grey)
    light = _light_on_dark(shrunk)
    page = _page(light)
    contrast = _contrast(light if page is None else _light_on_dark(page))
    digit = main_parts(without_rules(contrast, LIGHTEST))
    if not digit.any():
        raise EmptyImageError
    if shrunk is not grey and page is None and _longest(digit) < LONGEST / 8:
        return find_ink(_closer(grey, digit))
    near = ndimage.maximum_filter(digit, 5)
    box = (contrast * near)[_box(near & (contrast > LIGHTEST / 3))]
    full = np.percentile(box[box > LIGHTEST], 90)  # of the digit, as other things may be darker
    ink: Float32[ndarray, "a b"] = np.clip(box / full, 0, 1).astype(np.float32)
    return ink


def _longest(mask: Bool[ndarray, "h w"]) -> int:
    return max(int(side.stop - side.start) for side in _box(mask))


def _shrunk(grey: UInt8[ndarray, "h w"]) -> UInt8[ndarray, "a b"]:
    factor = LONGEST / max(grey.shape)
    if factor >= 1:
        return grey
    height, width = (max(1, round(length * factor)) for length in grey.shape)
    return np.asarray(Image.fromarray(grey).resize((width, height), Image.Resampling.BOX))


def _box(mask: Bool[ndarray, "h w"]) -> tuple[slice, slice]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)


def _closer(grey: UInt8[ndarray, "h w"], digit: Bool[ndarray, "a b"]) -> UInt8[ndarray, "c d"]:
    """A part of the picture around the digit that was found in the shrunk one."""
    scale = max(grey.shape) / LONGEST
    box = _box(digit)
    margin = max(side.stop - side.start for side in box) / 2
    rows, columns = (
        slice(max(0, int((side.start - margin) * scale)), int((side.stop + margin) * scale))
        for side in box
    )
    return grey[rows, columns]


def _light_on_dark(grey: UInt8[ndarray, "h w"]) -> Float32[ndarray, "h w"]:
    """Inverted if the paper is light.

    It is what most of the picture and of its margins are. If these leave a doubt, or if light and
    dark run into each other, as by a shadow or a lamp, ink is what differs most from its
    surroundings.
    """
    levels = grey.astype(np.float32)
    light = levels > (levels.max() + levels.min()) / 2
    margin = 1 + max(light.shape) // 16
    inside = light[margin:-margin, margin:-margin]
    n_margin = max(1, light.size - inside.size)
    share = ((light.sum() - inside.sum()) / n_margin + light.mean()) / 2
    if abs(share - 0.5) < DOUBT or _is_soft(levels, light):
        detail = levels - ndimage.uniform_filter(levels, max(light.shape) // 4)
        squares = detail**2
        skewness = np.mean(squares * detail) / max(np.mean(squares), 1) ** 1.5
        if abs(skewness) > 1:
            return levels if skewness > 0 else 255 - levels
    return 255 - levels if share > 0.5 else levels  # noqa: PLR2004 (half of it)


def _is_soft(levels: Float32[ndarray, "h w"], light: Bool[ndarray, "h w"]) -> bool:
    """Whether it takes many pixels from light to dark at most places."""
    steps = [np.abs(np.diff(levels, axis=k))[np.diff(light, axis=k)] for k in (0, 1)]
    both = np.concatenate(steps)
    return bool(both.size > 0 and np.median(both) < SOFT * np.ptp(levels))


def _page(levels: Float32[ndarray, "h w"]) -> UInt8[ndarray, "a b"] | None:
    """A light sheet on a dark ground, with a digit on it, cut out; None if there is none."""
    light = levels > (levels.max() + levels.min()) / 2
    if light.mean() < SMALLEST_PAGE:
        return None
    parts, _ = ndimage.label(light)
    sheet = ndimage.binary_fill_holes(parts == 1 + np.bincount(parts.ravel())[1:].argmax())
    box = _box(sheet)
    least, most = DRAWN
    is_page = (
        sheet.mean() >= SMALLEST_PAGE
        and sheet.sum() >= RECTANGULAR * _rectangle(sheet)
        and least < 1 - light[sheet].mean() < most
        and all(np.less(sheet[box].shape, light.shape))  # or the rest of it lies in shadow
    )
    if not is_page:
        return None
    sheet = ndimage.binary_erosion(sheet, AROUND, iterations=3)
    page = np.where(sheet, levels, np.median(levels[sheet]))[box]
    return page.astype(np.uint8)


def _rectangle(mask: Bool[ndarray, "h w"]) -> float:
    """Area of the smallest rectangle around it, turned by any whole five degrees."""
    rows = np.flatnonzero(mask.any(axis=1))
    ends = mask[rows].argmax(axis=1), mask.shape[1] - mask[rows, ::-1].argmax(axis=1)
    y, x = np.concatenate([rows, rows + 1]), np.concatenate(ends)
    angles = np.deg2rad(np.arange(0, 90, 5))[:, None]
    across = np.ptp(np.cos(angles) * x + np.sin(angles) * y, axis=1)
    along = np.ptp(np.cos(angles) * y - np.sin(angles) * x, axis=1)
    return float((across * along).min())


def _contrast(levels: Float32[ndarray, "h w"]) -> Float32[ndarray, "h w"]:
    """Difference of light ink to dark paper, 1 for full ink."""
    levels = levels - _paper(levels)
    n_full = max(9, levels.size // 2000)
    full = -np.partition(-levels, min(n_full, levels.size) - 1, axis=None)[:n_full].mean()
    if full < FAINTEST:
        raise EmptyImageError
    paper = levels[levels < full / 2]
    noise = 1.4826 * np.median(np.abs(paper - np.median(paper)))  # as a standard deviation
    if full < ABOVE_NOISE * noise:
        raise EmptyImageError
    contrast: Float32[ndarray, "h w"] = np.clip(levels / full, 0, 1)
    return contrast


def _paper(levels: Float32[ndarray, "h w"]) -> Float32[ndarray, "h w"] | np.float32:
    """Grey levels of dark paper under light ink: what is left where ink is narrow.

    Even paper has one level, however broad the strokes are.
    """
    height, width = levels.shape
    step = max(1, max(height, width) // 96)
    small = np.asarray(Image.fromarray(levels).reduce(step))
    broad = _opened(small, 2)
    even = min(EVEN, 0.1 * np.ptp(levels))
    if np.ptp(broad) < even:
        return np.float32(
            np.bincount(levels[levels < broad.max() + EVEN].astype(np.uint8)).argmax()
        )
    # Beyond the border the light goes on as it does before it: darker corners are not ink.
    around = min(max(small.shape) // 5, *(side - 1 for side in small.shape))
    padded = np.pad(small, around, "reflect", reflect_type="odd")
    inner = slice(around, -around or None)
    resized = Image.fromarray(_opened(padded, 7)[inner, inner]).resize(
        (width, height), Image.Resampling.BILINEAR
    )
    return np.asarray(resized, dtype=np.float32)


def _opened(small: Float32[ndarray, "h w"], part: int) -> Float32[ndarray, "h w"]:
    """Without what is narrower than this part of the picture."""
    size = max(3, max(small.shape) // part)
    opened = ndimage.grey_opening(small, size=(size, size), mode="nearest")
    smooth: Float32[ndarray, "h w"] = ndimage.uniform_filter(opened, size // 3 + 1, mode="nearest")
    return smooth
