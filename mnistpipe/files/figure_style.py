"""What the figures of all chapters have in common: colours, and axes of shares."""

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

# A sequence of ten colours that was chosen for colour-vision deficiencies (Petroff 2021).
CLASS_COLOURS = mpl.color_sequences["petroff10"]
TRAINING_COLOUR, TEST_COLOUR = CLASS_COLOURS[0], CLASS_COLOURS[2]
OTHER_COLOUR = CLASS_COLOURS[4]  # test error of the other series
# Colour maps: of grey levels as ink, of shares, of what is symmetric about zero, of ordered lines.
INK, SHARES, SIGNED, ORDERED = "gray_r", "Blues", "PuOr", "viridis"


def label_shares(axes: Axes, ticks: tuple[float, ...]) -> None:
    """A logarithmic axis of shares, in per cent, with ticks at these multiples of each power."""
    axes.yaxis.set_major_locator(LogLocator(subs=ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", alpha=0.3)
