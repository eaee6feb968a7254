"""The learning curve as a figure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from matplotlib.typing import ColorType
from numpy import ndarray

from mnistpipe.files.figure_style import (
    ONE_COLUMN,
    OTHER_COLOUR,
    TEST_COLOUR,
    TRAINING_COLOUR,
    in_style,
    label_shares,
    thin_ticks,
)
from mnistpipe.learning_curve.points import Point
from mnistpipe.learning_curve.power_law import PowerLaw


@in_style
def draw_learning_curve(points: Sequence[Point], law: PowerLaw | None, dataset: str) -> Figure:
    """Test error of each series and training error of the first, both axes logarithmic.

    The law is drawn where the first series has points. An error of zero has no place on a
    logarithmic axis; it is marked at the lower edge.
    """
    figure = Figure(figsize=(ONE_COLUMN, 3.5), layout="constrained")
    axes = figure.subplots()
    errors = [
        error
        for point in points
        for error in (point.training_error, point.test_error, *point.interval)
    ]
    lowest = min((error for error in errors if error > 0), default=0.01) / 1.5
    names = list(dict.fromkeys(point.series for point in points))
    for name, colour, style in zip(names, (TEST_COLOUR, OTHER_COLOUR), ("o-", "D--"), strict=False):
        series = [point for point in points if point.series == name]
        if law is not None and name == names[0]:
            _draw_law(axes, law, series, colour)
            style = style[0]  # noqa: PLW2901 (the law takes the line's place)
        _draw_test_error(axes, series, lowest, colour, style)
    first = [point for point in points if point.series == names[0]]
    _draw_errors(
        axes,
        f"training error, {names[0]}",
        np.array([point.examples for point in first]),
        np.array([point.training_error for point in first]),
        lowest,
        color=TRAINING_COLOUR,
        fmt="s:",
        ms=3,
    )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="training examples",
        ylabel="share of images misclassified",
        title=f"Error of Net by number of training examples\n{dataset}",
    )
    ticks = {point.examples: f"{point.examples:,}\n({point.name})" for point in points}
    axes.set_xticks(list(ticks), list(ticks.values()))
    axes.xaxis.set_minor_locator(NullLocator())  # the points are ticks enough
    axes.set_ylim(top=min(axes.get_ylim()[1], 1.1))  # a law may lead above 100 %
    label_shares(axes)
    several = any(len(point.seed_errors) > 1 for point in points)
    figure.legend(
        loc="outside lower left",
        alignment="left",
        title="Bars: Wilson's 95% interval, which the\n"
        f"{points[0].test_images:,} test images alone leave open."
        + ("\nStrokes beside a point: the error of each seed." if several else ""),
    )
    figure.draw_without_rendering()
    thin_ticks(axes)
    return figure


def _draw_law(axes: Axes, law: PowerLaw, points: Sequence[Point], colour: ColorType) -> None:
    examples = np.geomspace(points[0].examples, points[-1].examples, 100)
    errors = [law.error(float(number)) for number in examples]
    label = (
        f"fit: {law.scale.value:.3g} examples$^{{-{law.exponent.value:.2f}}}$ + "
        f"{100 * law.floor.value:.2f}%, with 95% band"
    )
    axes.plot(examples, [error.value for error in errors], color=colour, label=label)
    axes.fill_between(
        examples,
        [error.low for error in errors],
        [error.high for error in errors],
        color=colour,
        alpha=0.15,
        linewidth=0,
    )


def _draw_test_error(
    axes: Axes, points: Sequence[Point], lowest: float, colour: ColorType, style: str
) -> None:
    """With a bar for the interval of each point and, beside it, a stroke for each of its seeds."""
    _draw_errors(
        axes,
        f"test error, {points[0].series}",
        np.array([point.examples for point in points]),
        np.array([point.test_error for point in points]),
        lowest,
        intervals=np.array([point.interval for point in points]),
        color=colour,
        fmt=style,
        # Hollow and larger, so that a point of both series shows both its marks.
        **({"ms": 6, "mfc": "none", "zorder": 3} if "D" in style else {}),
    )
    for point in points:
        if len(point.seed_errors) > 1:
            strokes = [max(error, lowest) for error in point.seed_errors]
            beside = [1.06 * point.examples] * len(strokes)
            axes.plot(beside, strokes, "_", color=colour)


def _draw_errors(
    axes: Axes,
    label: str,
    examples: Int[ndarray, " p"],
    errors: Float[ndarray, " p"],
    lowest: float,
    intervals: Float[ndarray, "p 2"] | None = None,
    **style: Any,  # noqa: ANN401 (Matplotlib's)
) -> None:
    """Zeros as triangles at `lowest`."""
    zero = errors == 0
    places = np.where(zero, lowest, errors)
    bars = None
    if intervals is not None:
        bars = np.abs(intervals.clip(min=lowest).T - places)
    axes.errorbar(examples, np.where(zero, np.nan, errors), bars, label=label, **style)
    if zero.any():
        bars = None if bars is None else bars[:, zero]
        style |= {"fmt": "v", "ms": 5}
        axes.errorbar(examples[zero], places[zero], bars, label=f"{label}: zero", **style)
