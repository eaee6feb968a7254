"""How the figures of all chapters look: sizes, type, lines, colours; what several of them do.

A function that draws one is decorated by `in_style`. Figures are laid out for print at their size.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation
from matplotlib.typing import ColorType
from numpy import ndarray
from scipy.optimize import isotonic_regression

ONE_COLUMN, TWO_COLUMNS = 3.25, 6.75  # widths in inches, which fit the usual templates
PAGE = 9.0  # height in inches
SMALL = 6  # points; nothing that has to be read is smaller
in_style = mpl.rc_context(
    {
        "text.hinting": "none",  # or the same text would be wider in some files than in others
        "font.size": 7,
        "figure.titlesize": 8,
        "axes.titlesize": 8,
        "xtick.labelsize": SMALL,
        "ytick.labelsize": SMALL,
        "legend.fontsize": SMALL,
        "legend.title_fontsize": SMALL,
        "axes.linewidth": 0.6,
        "grid.linewidth": 0.5,
        "lines.linewidth": 1.1,
        "lines.markersize": 3.5,
        "errorbar.capsize": 1.5,
        "xtick.major.width": 0.5,
        "ytick.major.width": 0.5,
        "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4,
    }
)

# A colour for each class, on white and on a dark page (#1e1e1e or darker), of about one hue. They
# were searched for so that even to the colour-blind no two look alike, digits that networks confuse
# look most different, and each has a contrast of 3 to 1 with its page; the tests hold all three.
CLASS_COLOURS = (
    "#ed297d", "#00795c", "#4b007f", "#6e1d03", "#935800",
    "#ac9300", "#0898ff", "#9592a5", "#113636", "#4349fd",
)  # fmt: skip
CLASS_COLOURS_ON_DARK = (
    "#eb016d", "#007761", "#9d8d9f", "#945d00", "#e89261",
    "#ffeb41", "#6c95ff", "#dce7d1", "#05f4ff", "#744fd5",
)  # fmt: skip
CLASS_MARKERS = "o^sDvPX*<>"  # ten classes have one each, so that a hundred are told apart
TRAINING_COLOUR, TEST_COLOUR = CLASS_COLOURS[9], CLASS_COLOURS[0]
OTHER_COLOUR = CLASS_COLOURS[1]  # test error of the other series
# Colour maps: of shares, of what is symmetric about zero, of ordered lines.
SHARES, SIGNED, ORDERED = "Blues", "PuOr", "viridis"
LINE = 1.3 * SMALL / 72  # inches from a line of small text to the next
_LONGEST_NAME = 20  # letters
_LARGEST_IMAGE = 0.97  # inches
# Multiples of each power of ten that an axis of shares names; fewer, the more powers it spans.
_SHARES = ((1.0, 1.5, 2.0, 3.0, 5.0, 7.0), (1.0, 2.0, 5.0), (1.0, 3.0), (1.0,))
_MOST_TICKS = 8


def name_classes(classes: Sequence[str], longest: int = _LONGEST_NAME) -> list[str]:
    """The classes' names as figures write them: long ones without their middle, `$` as itself.

    A name is `#` and the class's number if the font lacks some of its letters, or if without its
    middle it is the same as another.
    """
    letters = get_font(findfont(FontProperties())).get_charmap()
    short = [shorten(name, longest) for name in classes]
    count = Counter(short)
    return [
        name.replace("$", r"\$")
        if count[name] == 1 and all(ord(letter) in letters for letter in name)
        else f"#{number}"
        for number, name in enumerate(short)
    ]


def shorten(name: str, longest: int) -> str:
    """The name, without its middle if it has more letters than `longest`."""
    tail = (longest - 1) // 2
    return name if len(name) <= longest else f"{name[: longest - 1 - tail]}…{name[-tail:]}"


def text_width(*texts: str, size: float = SMALL) -> float:
    """Inches that the widest line of these texts takes, at this size in points."""
    lines = (line for text in texts for line in text.split("\n"))
    widths = (TextPath((0, 0), line, size=size).get_extents().width for line in lines)
    return float(max(widths)) / 72


def label_shares(axes: Axes) -> None:
    """A logarithmic axis of shares, in per cent, with as many ticks as have room beside it.

    What is drawn must be on the axes already.
    """
    low, high = axes.get_ylim()
    powers = math.log10(high / low)
    ticks = next((t for t in _SHARES if powers * len(t) <= _MOST_TICKS), _SHARES[-1])
    axes.yaxis.set_major_locator(LogLocator(subs=ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", alpha=0.3)


def label_ends(axes: Axes, lines: Sequence[Line2D], names: Sequence[str]) -> None:
    """Each line's name right of the axes, as near to the line's end as its neighbours allow.

    The figure must have been laid out once, as what the names need depends on the axes' height.
    """
    ends = np.array([np.asarray(line.get_xydata())[-1] for line in lines])
    wanted = axes.transAxes.inverted().transform(axes.transData.transform(ends))[:, 1]
    height = axes.get_window_extent().transformed(axes.figure.dpi_scale_trans.inverted()).height
    places = spread(wanted, gap=1.2 * SMALL / 72 / height)
    beside = axes.transAxes + ScaledTranslation(0.13, 0, axes.figure.dpi_scale_trans)
    for line, name, end, place in zip(lines, names, ends, places, strict=True):
        leader: dict[str, Any] = {"arrowstyle": "-", "color": line.get_color(), "linewidth": 0.6}
        axes.annotate(
            name,
            xy=end,
            xytext=(1, place),
            textcoords=beside,
            va="center",
            fontsize=SMALL,
            arrowprops=leader | {"relpos": (0, 0.5), "shrinkA": 0, "shrinkB": 2},
        )


def thin_ticks(axes: Axes) -> None:
    """Take from the x axis the names that would run into the next; the last one stays.

    The figure must have been laid out once.
    """
    left = math.inf
    for tick in reversed(axes.xaxis.get_major_ticks()):
        box = tick.label1.get_window_extent()
        if box.x1 < left:
            left = box.x0
        else:
            tick.label1.set_visible(False)


def spread(wanted: Float[ndarray, " n"], gap: float) -> Float[ndarray, " n"]:
    """Places in the same order, at least `gap` apart and in all nearest to those wanted.

    They lie between 0 and 1 if there is room; nearest is meant by the sum of squares.
    """
    order = wanted.argsort(kind="stable")
    below = gap * np.arange(len(wanted))  # what the names below take
    places = np.empty(len(wanted))
    settled = isotonic_regression(wanted[order] - below).x
    places[order] = settled.clip(0, max(0, 1 - below[-1])) + below
    return places


def show_image(
    axes: Axes, image: UInt8[ndarray, "28 28"], edge: ColorType | None = None, *, ink: bool
) -> None:
    """An image in a frame of this colour or in a thin grey one; if it is ink, dark on light."""
    axes.imshow(image, cmap="gray_r" if ink else "gray", vmin=0, vmax=255)
    frame(axes, edge)


def frame(axes: Axes, edge: ColorType | None = None) -> None:
    """No ticks, and a frame of this colour or a thin grey one."""
    axes.set(xticks=[], yticks=[])
    axes.set_axis_on()
    for spine in axes.spines.values():
        spine.set(edgecolor=edge or "lightgrey", linewidth=1.2 if edge else 0.5)


def draw_pictures(
    images: Sequence[UInt8[ndarray, "28 28"]],
    captions: Sequence[str],
    heading: Callable[[int], str],
    height: float = math.inf,
    frames: Mapping[int, ColorType] | None = None,
    *,
    ink: bool,
) -> Figure:
    """Images below their captions, as many in a row of two columns' width as these allow.

    Args:
        images: the first ones are shown.
        captions: one each, of one or more lines.
        heading: the figure's, for the number of images that are shown.
        height: in inches, which the figure does not exceed.
        frames: the colours of images that have one, by their place.
        ink: whether the images are ink, and no whole pictures.

    """
    lines = max((caption.count("\n") + 1 for caption in captions), default=1)
    columns = int(TWO_COLUMNS / (max(map(text_width, captions), default=0.6) + 0.12))
    rows = max(1, -(-len(images) // columns))
    if rows > 1:
        columns = -(-len(images) // rows)  # so that the last row is nearly full, too
    row = min(TWO_COLUMNS / columns, _LARGEST_IMAGE) + lines * LINE
    if rows * row + 0.4 > height:
        rows = int((height - 0.4) / row)
    shown = min(len(images), rows * columns)
    figure = Figure(figsize=(TWO_COLUMNS, rows * row + 0.4), layout="constrained")
    figure.suptitle(heading(shown))
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for cell in cells:
        cell.set_axis_off()
    for place, cell in enumerate(cells[:shown]):
        show_image(cell, images[place], (frames or {}).get(place), ink=ink)
        cell.set_title(captions[place], fontsize=SMALL, pad=2)
    return figure
