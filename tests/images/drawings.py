"""Digits as a hand would draw them, and what a camera, a scanner or an editor makes of them."""

from collections.abc import Callable

import numpy as np
from numpy import ndarray
from PIL import Image, ImageDraw, ImageFilter

# Strokes as points (x, y) in a box of one unit; curves are given by some points on them.
STROKES: tuple[list[list[tuple[float, float]]], ...] = (
    [[(0.55, 0), (0.3, 0.15), (0.2, 0.5), (0.3, 0.85), (0.5, 1), (0.72, 0.85), (0.8, 0.5),
      (0.72, 0.15), (0.5, 0)]],
    [[(0.55, 0), (0.5, 0.5), (0.45, 1)]],
    [[(0.2, 0.2), (0.35, 0.03), (0.6, 0), (0.75, 0.2), (0.65, 0.45), (0.2, 1), (0.85, 0.97)]],
    [[(0.2, 0.08), (0.5, 0), (0.73, 0.15), (0.65, 0.38), (0.4, 0.47), (0.7, 0.58), (0.77, 0.8),
      (0.5, 1), (0.18, 0.92)]],
    [[(0.35, 0), (0.15, 0.6), (0.85, 0.57)], [(0.7, 0.1), (0.6, 1)]],
    [[(0.8, 0), (0.3, 0.02), (0.25, 0.42), (0.6, 0.42), (0.78, 0.65), (0.6, 0.95), (0.2, 0.97)]],
    [[(0.65, 0), (0.35, 0.3), (0.22, 0.7), (0.4, 1), (0.65, 0.92), (0.68, 0.68), (0.45, 0.58),
      (0.24, 0.75)]],
    [[(0.15, 0.05), (0.8, 0.02), (0.45, 1)]],
    [[(0.75, 0.1), (0.5, 0), (0.28, 0.15), (0.4, 0.42), (0.68, 0.65), (0.65, 0.92), (0.42, 1),
      (0.25, 0.82), (0.38, 0.55), (0.68, 0.3), (0.75, 0.1)]],
    [[(0.72, 0.2), (0.5, 0.02), (0.28, 0.2), (0.35, 0.45), (0.6, 0.42), (0.73, 0.15), (0.7, 0.5),
      (0.6, 1)]],
)  # fmt: skip


def draw(digit: int, side: int = 200, width: int = 14, margin: int = 40) -> ndarray:
    """Black on white, uint8, in a square of `side` with margins around."""
    image = Image.new("L", (side + 2 * margin,) * 2, 255)
    pen = ImageDraw.Draw(image)
    for stroke in STROKES[digit]:
        points = [(margin + side * x, margin + side * y) for x, y in stroke]
        pen.line(points, fill=0, width=width, joint="curve")
        for x, y in points:
            pen.ellipse([x - width / 2, y - width / 2, x + width / 2, y + width / 2], fill=0)
    return np.array(image)


def _soft(grey: ndarray) -> ndarray:
    return np.asarray(Image.fromarray(grey).filter(ImageFilter.GaussianBlur(1.2)), float)


def _on_a_sheet(grey: ndarray, rng: np.random.Generator) -> ndarray:
    sheet = np.full((600, 800), 255.0)
    y, x = rng.integers(0, 600 - grey.shape[0]), rng.integers(0, 800 - grey.shape[1])
    sheet[y : y + grey.shape[0], x : x + grey.shape[1]] = _soft(grey)
    return sheet


def _photographed(grey: ndarray, rng: np.random.Generator) -> ndarray:
    """On a larger sheet, lit from one side, with noise."""
    sheet = _on_a_sheet(grey, rng)
    rows, columns = np.mgrid[-0.5:0.5:600j, -0.5:0.5:800j]
    light = 1 + 0.5 * (rows * rng.choice([-1, 1]) + columns) / 1.4 - 0.4 * rows**2
    return _grey((40 + 150 * sheet / 255) * light + rng.normal(0, 6, sheet.shape))


def _in_shadow(grey: ndarray, rng: np.random.Generator) -> ndarray:
    columns = np.arange(grey.shape[1]) - grey.shape[1] * rng.uniform(0.3, 0.7)
    return _grey(_soft(grey) * 0.7 * (0.5 + 0.5 / (1 + np.exp(-columns / 15))) + 25)


def _ruled(grey: ndarray, rng: np.random.Generator) -> ndarray:
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]]
    rule = (rows + rng.uniform(-0.03, 0.03) * columns) % 40 < 2
    return _grey(np.minimum(np.where(rule, 130, 240), grey + 20.0))


def _squared(grey: ndarray, _: np.random.Generator) -> ndarray:
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]]
    return _grey(np.minimum(np.where((rows % 30 < 1) | (columns % 30 < 1), 170, 240), grey + 20.0))


def _specked(grey: ndarray, rng: np.random.Generator) -> ndarray:
    specked = grey.copy()
    rows, columns = np.mgrid[: grey.shape[0], : grey.shape[1]]
    for y, x in rng.integers(0, grey.shape[0], (8, 2)):
        specked[np.hypot(rows - y, columns - x) < rng.uniform(1, 4)] = 0
    return specked


def _framed(grey: ndarray, _: np.random.Generator) -> ndarray:
    framed = grey.copy()
    framed[:3], framed[-3:], framed[:, :3], framed[:, -3:] = 0, 0, 0, 0
    return framed


def _on_a_desk(grey: ndarray, rng: np.random.Generator) -> ndarray:
    desk = rng.normal(60, 5, (500, 600))
    y, x = rng.integers(10, 200, 2)
    desk[y : y + grey.shape[0], x : x + grey.shape[1]] = 60 + 0.6 * _soft(grey)
    return _grey(desk)


def _on_a_turned_sheet(grey: ndarray, rng: np.random.Generator) -> ndarray:
    sheet = Image.fromarray(_grey(0.8 * _soft(grey) + 20)).convert("LA")
    turned = sheet.rotate(rng.choice([-1, 1]) * 14, Image.Resampling.BICUBIC, expand=True)
    desk = Image.fromarray(_grey(rng.normal(70, 5, (500, 600))))
    desk.paste(turned.getchannel("L"), (120, 60), turned.getchannel("A"))
    return np.asarray(desk)


def _beside_a_table(grey: ndarray, rng: np.random.Generator) -> ndarray:
    sheet = _photographed(grey, rng)
    sheet[:, :50] = rng.normal(60, 5, (600, 50)).astype(np.uint8)
    return sheet


def _under_a_lamp(grey: ndarray, rng: np.random.Generator) -> ndarray:
    """Which lights less than half of the sheet."""
    rows, columns = np.mgrid[-0.75:0.75:600j, -1:1:800j]
    y, x = rng.uniform(-0.5, 0.5, 2)
    light = 0.3 + 0.7 * np.exp(-((rows - y) ** 2 + (columns - x) ** 2) / 0.25)
    sheet = np.maximum(_on_a_sheet(grey, rng), 30) * 0.85
    return _grey(sheet * light + rng.normal(0, 2, sheet.shape))


def _in_the_dusk(grey: ndarray, rng: np.random.Generator) -> ndarray:
    return _grey(0.3 * _photographed(np.maximum(grey, 30), rng) + rng.normal(0, 2, (600, 800)))


def _in_a_corner(grey: ndarray, _: np.random.Generator) -> ndarray:
    """Of a page that is far larger."""
    page = np.full((1400, 1000), 250, np.uint8)
    small = np.array(Image.fromarray(grey).resize((90, 90), Image.Resampling.BOX))
    page[-110:-20, -110:-20] = np.minimum(small, 250)
    return page


def _cut_to_its_box(grey: ndarray, _: np.random.Generator) -> ndarray:
    rows, columns = np.nonzero(grey < 128)
    return grey[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]


def _grey(levels: ndarray) -> ndarray:
    return np.clip(np.round(levels), 0, 255).astype(np.uint8)


Change = Callable[[ndarray, np.random.Generator], ndarray]
CHANGES: dict[str, tuple[int, Change]] = {  # the width of the pen, and what becomes of it
    "one pixel wide": (1, lambda grey, _: grey),
    "thin": (4, lambda grey, _: grey),
    "thick": (26, lambda grey, _: grey),
    "light on dark": (14, lambda grey, _: 255 - grey),
    "faint": (14, lambda grey, _: _grey(128 + 0.15 * grey)),
    "small": (30, lambda grey, _: np.array(Image.fromarray(grey).resize((24, 24), 4))),
    "photographed": (14, _photographed),
    "in pencil": (6, lambda grey, rng: _photographed(_grey(140 + 0.45 * grey), rng)),
    "on a blackboard": (14, lambda grey, rng: 255 - _photographed(grey, rng)),
    "in shadow": (14, _in_shadow),
    "ruled": (10, _ruled),
    "squared": (10, _squared),
    "specked": (14, _specked),
    "framed": (14, _framed),
    "on a desk": (14, _on_a_desk),
    "on a turned sheet": (14, _on_a_turned_sheet),
    "beside a table": (14, _beside_a_table),
    "under a lamp": (12, _under_a_lamp),
    "in the dusk": (14, _in_the_dusk),
    "in a corner": (16, _in_a_corner),
    "cut to its box": (20, _cut_to_its_box),
}


def changed(name: str, digit: int) -> ndarray:
    """The digit after one of the changes, the same each time."""
    width, change = CHANGES[name]
    return change(draw(digit, width=width), np.random.default_rng([digit, len(name)]))
