"""The networks' robustness as a figure."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mnistpipe.files.figure_style import (
    ORDERED,
    TEST_COLOUR,
    TRAINING_COLOUR,
    TWO_COLUMNS,
    in_style,
    label_ends,
    label_shares,
    shorten,
)
from mnistpipe.robustness.measure import Measurement
from mnistpipe.robustness.params import Perturbation
from mnistpipe.scoring.significance import wilson_interval
from mnistpipe.training.plan import BEST_STAGE, PAIRS

_LONGEST_NAME = 24  # letters; more would leave the lines too little room


@in_style
def draw_robustness(measurements: Sequence[Measurement], dataset: str) -> Figure:
    """Test error against blur and rotation: above the four runs, below the parts of the data.

    Bars are Wilson's 95% intervals. On the logarithmic axis, no error at all is half an image.
    """
    stages = dict.fromkeys(measurement.stage for measurement in measurements)
    rows = (
        ("all of the data", [stage for stage in stages if "@" not in stage]),
        ("parts of the data", [BEST_STAGE, *(stage for stage in stages if "@" in stage)]),
    )
    columns: tuple[tuple[Perturbation, str], ...] = (
        ("blur", "blur (passes of the 5x5 kernel)"),
        ("rotation", "rotation to either side (degrees)"),
    )
    styles = _styles_of_stages(stages)
    figure = Figure(figsize=(TWO_COLUMNS, 5), layout="constrained")
    figure.suptitle(
        f"Test error on blurred and on turned images, with Wilson's 95% intervals\n{dataset}"
    )
    grid = figure.subplots(2, 2, sharex="col", sharey=True)
    for cells, (heading, shown) in zip(grid, rows, strict=True):
        for axes, (perturbation, label) in zip(cells, columns, strict=True):
            for stage in shown:
                series = [
                    measurement
                    for measurement in measurements
                    if (measurement.stage, measurement.perturbation) == (stage, perturbation)
                ]
                _draw_strengths(axes, series, {"label": stage, **styles[stage]})
            axes.set(yscale="log", ylabel="share of images misclassified", xlabel=label)
            axes.set_xticks([measurement.strength for measurement in series])
            label_shares(axes)
            axes.label_outer(remove_inner_ticks=True)
        cells[0].set_title(heading, loc="left", fontsize="medium")
    figure.draw_without_rendering()
    for axes in grid.flat:
        bars, names = axes.get_legend_handles_labels()
        label_ends(axes, [bar[0] for bar in bars], [_short(name) for name in names])
    return figure


def _short(stage: str) -> str:
    """What tells it from the others of its panel: of a part of the data, the part."""
    sweep, _, part = stage.partition("@")
    name = f"{part}, other steps" if sweep.endswith("-steps") else part or stage
    return shorten(name, _LONGEST_NAME)


def _draw_strengths(axes: Axes, series: Sequence[Measurement], style: Mapping[str, Any]) -> None:
    strengths = [measurement.strength for measurement in series]
    shown = np.array([max(measurement.errors, 0.5) / measurement.count for measurement in series])
    intervals = [wilson_interval(measurement.errors, measurement.count) for measurement in series]
    low, high = np.array(intervals).T
    bars = np.clip([shown - low, high - shown], 0, None)
    axes.errorbar(strengths, shown, yerr=bars, elinewidth=0.7, **style)


def _styles_of_stages(stages: Iterable[str]) -> dict[str, dict[str, Any]]:
    """A network has one colour, dashed without augmentation; a part of the data has its own."""
    styles: dict[str, dict[str, Any]] = {}
    for (without, with_it), colour in zip(
        PAIRS.values(), (TRAINING_COLOUR, TEST_COLOUR), strict=True
    ):
        styles[without] = {"color": colour, "fmt": "o--", "markerfacecolor": "white"}
        styles[with_it] = {"color": colour, "fmt": "s-"}
    parts = [stage.split("@") for stage in stages if "@" in stage]
    sweeps, names = (list(dict.fromkeys(words)) for words in zip(*parts, strict=True))
    colours = mpl.colormaps[ORDERED](np.linspace(0.05, 0.6, len(names)))
    lines = itertools.cycle(("^-", "v:", "D-."))
    for sweep, line in zip(sweeps, lines, strict=False):
        for name, colour in zip(names, colours, strict=True):
            styles[f"{sweep}@{name}"] = {"color": colour, "fmt": line}
    return styles
