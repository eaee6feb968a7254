"""How the figures of all chapters look: sizes, type, lines, colours; what several of them do.

A function that draws one is decorated by `in_style`. Figures are laid out for print at their size.
"""

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.typing import ColorType
from numpy import ndarray
from scipy.optimize import isotonic_regression

ONE_COLUMN, TWO_COLUMNS = 3.25, 6.75  # widths in inches, which fit the usual templates
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
# Colour maps: of grey levels as ink, of shares, of what is symmetric about zero, of ordered lines.
INK, SHARES, SIGNED, ORDERED = "gray_r", "Blues", "PuOr", "viridis"
LETTER = 0.0077  # inches that a letter takes, on average, for each point of the font's size
_LONGEST_NAME = 20  # letters


def name_classes(classes: Sequence[str]) -> list[str]:
    """The classes' names as figures write them: long ones without their middle, `$` as itself.

    A name with letters that the font lacks is `#` and the class's number.
    """
    letters = get_font(findfont(FontProperties())).get_charmap()
    return [
        _shorten(name).replace("$", r"\$")
        if all(ord(letter) in letters for letter in name)
        else f"#{number}"
        for number, name in enumerate(classes)
    ]


def _shorten(name: str) -> str:
    head, tail = _LONGEST_NAME // 2, _LONGEST_NAME // 2 - 1
    return name if len(name) <= _LONGEST_NAME else f"{name[:head]}…{name[-tail:]}"


def label_shares(axes: Axes, ticks: tuple[float, ...]) -> None:
    """A logarithmic axis of shares, in per cent, with ticks at these multiples of each power."""
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
    for line, name, end, place in zip(lines, names, ends, places, strict=True):
        leader: dict[str, Any] = {"arrowstyle": "-", "color": line.get_color(), "linewidth": 0.6}
        axes.annotate(
            name,
            xy=end,
            xytext=(1.06, place),
            textcoords="axes fraction",
            va="center",
            fontsize=SMALL,
            arrowprops=leader | {"relpos": (0, 0.5), "shrinkA": 0, "shrinkB": 2},
        )


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


def show_image(axes: Axes, image: UInt8[ndarray, "28 28"], frame: ColorType | None = None) -> None:
    """An image as ink, without ticks, in a frame of this colour or in a thin grey one."""
    axes.imshow(image, cmap=INK, vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    axes.set_axis_on()
    for spine in axes.spines.values():
        spine.set(edgecolor=frame or "lightgrey", linewidth=1.2 if frame else 0.5)
