"""What the figures of all chapters have in common: colours, and axes of shares."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

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
