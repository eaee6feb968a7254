"""The loss curves of all runs as a figure."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, StrMethodFormatter

from mnistpipe.files.figure_style import (
    SMALL,
    TEST_COLOUR,
    TRAINING_COLOUR,
    TWO_COLUMNS,
    in_style,
    shorten,
)

_LONGEST_NAME = 30  # letters that a panel is wide


@in_style
def draw_losses(losses: Mapping[str, pd.DataFrame], dataset: str) -> Figure:
    """A small panel for each stage, all with the same logarithmic axis of losses.

    Each table has the columns epoch, training_loss and validation_loss. A ring marks the epoch of
    the lowest validation loss.
    """
    columns = 4
    rows = -(-len(losses) // columns)
    figure = Figure(figsize=(TWO_COLUMNS, 1.3 * rows + 0.6), layout="constrained")
    figure.suptitle(f"Loss of each run by epoch; a ring marks the lowest on validation\n{dataset}")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes, (stage, table) in zip(grid, losses.items(), strict=False):
        marker = "." if len(table) == 1 else ""  # of a single point there is no line
        axes.plot(table["epoch"], table["training_loss"], f"{marker}--", color=TRAINING_COLOUR)
        axes.plot(table["epoch"], table["validation_loss"], f"{marker}-", color=TEST_COLOUR)
        lowest = table.iloc[[int(table["validation_loss"].argmin())]]
        axes.plot(lowest["epoch"], lowest["validation_loss"], "o", color=TEST_COLOUR, mfc="none")
        axes.set_title(shorten(stage, _LONGEST_NAME), fontsize=SMALL)
        axes.set_xlim(left=0)
        whole: dict[str, Any] = {"integer": True, "min_n_ticks": 1}
        axes.xaxis.set_major_locator(MaxNLocator(4, steps=[1, 2, 5, 10], **whole))
        axes.grid(alpha=0.3)
    for axes in grid[len(losses) :]:
        axes.set_axis_off()
    grid[0].set(yscale="log")
    grid[0].yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    grid[0].yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    grid[0].yaxis.set_minor_formatter(NullFormatter())
    grid[0].legend(grid[0].lines[:2], ["training", "validation"])
    figure.supxlabel("epoch", fontsize="medium")
    figure.supylabel("cross-entropy (nats)", fontsize="medium")
    return figure
