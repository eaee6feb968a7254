"""What the figures of all chapters have in common: colours, and axes of shares."""

from collections.abc import Sequence

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

# A sequence of ten colours that was chosen for colour-vision deficiencies (Petroff 2021).
CLASS_COLOURS = mpl.color_sequences["petroff10"]
CLASS_MARKERS = "o^sDvPX*<>"  # ten classes have one each, so that a hundred are told apart
TRAINING_COLOUR, TEST_COLOUR = CLASS_COLOURS[0], CLASS_COLOURS[2]
OTHER_COLOUR = CLASS_COLOURS[4]  # test error of the other series
# Colour maps: of grey levels as ink, of shares, of what is symmetric about zero, of ordered lines.
INK, SHARES, SIGNED, ORDERED = "gray_r", "Blues", "PuOr", "viridis"
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
