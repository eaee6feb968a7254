"""The dense learning curve as a figure: every network, the law, and what it predicted."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.typing import ColorType

from mnistpipe.files.figure_style import (
    ONE_COLUMN,
    OTHER_COLOUR,
    TEST_COLOUR,
    in_style,
    label_shares,
)
from mnistpipe.learning_curve.dense import Dense, HeldOut, Measured
from mnistpipe.learning_curve.power_law import PowerLaw


@in_style
def draw_dense_curve(dense: Dense, dataset: str) -> Figure:
    """Test error against examples, both axes logarithmic; of no sizes a figure that says so.

    An error of zero, which has no place there, stands at that of half an image.
    """
    figure = Figure(figsize=(ONE_COLUMN, 3.3), layout="constrained")
    axes = figure.subplots()
    axes.set_title(f"Error of Net by number of training examples\n{dataset}")
    if not dense.sizes:
        axes.set_axis_off()
        axes.text(0.5, 0.5, "dense-curve.sizes is empty", ha="center", transform=axes.transAxes)
        return figure
    small = [size for size in dense.sizes if size.images <= dense.fit_up_to]
    large = [size for size in dense.sizes if size.images > dense.fit_up_to]
    _draw_networks(axes, small, f"up to {dense.fit_up_to:,} images", TEST_COLOUR, "o")
    _draw_networks(axes, large, "more images", OTHER_COLOUR, "D")
    if dense.law is not None:
        _draw_law(axes, dense.law, small[-1].examples, dense.sizes)
    _draw_held_out(axes, dense.held_out)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="training examples",
        ylabel="share of test images misclassified",
    )
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    label_shares(axes)
    figure.legend(loc="outside lower left", title="Each network a point", alignment="left")
    return figure


def _draw_networks(
    axes: Axes, sizes: Sequence[Measured], label: str, colour: ColorType, marker: str
) -> None:
    points = [
        (size.examples, max(error, 0.5 / size.test_images))
        for size in sizes
        for error in size.seed_errors
    ]
    if points:
        examples, errors = zip(*points, strict=True)
        axes.plot(examples, errors, marker, color=colour, mfc="none", label=label)


def _draw_law(axes: Axes, law: PowerLaw, last: int, sizes: Sequence[Measured]) -> None:
    """Dashed where it was not fitted, with its band."""
    label = (
        f"fit: {law.scale.value:.3g} examples$^{{-{law.exponent.value:.2f}}}$ + "
        f"{100 * law.floor.value:.2f}%, with 95% band"
    )
    for start, end, style in (
        (sizes[0].examples, last, "-"),
        (last, sizes[-1].examples, "--"),
    ):
        examples = np.geomspace(start, end, 50)
        errors = [law.error(float(number)) for number in examples]
        axes.plot(
            examples,
            [error.value for error in errors],
            style,
            color=TEST_COLOUR,
            label=label if style == "-" else None,
        )
        axes.fill_between(
            examples,
            [error.low for error in errors],
            [error.high for error in errors],
            color=TEST_COLOUR,
            alpha=0.15,
            linewidth=0,
        )


def _draw_held_out(axes: Axes, held_out: Sequence[HeldOut]) -> None:
    """Beside the networks their mean, and what the law predicts of it, as a bar."""
    if not held_out:
        return
    beside = [1.06 * each.measured.examples for each in held_out]
    values = np.array([each.predicted.value for each in held_out])
    lows, highs = (
        np.array(
            [
                max(getattr(each.predicted, end), 0.5 / each.measured.test_images)
                for each in held_out
            ]
        )
        for end in ("low", "high")
    )
    bars = np.abs(np.array([values - lows, highs - values]))
    label = "predicted mean of the networks, with 95% interval"
    axes.errorbar(beside, values, bars, fmt="_", color="black", ms=6, label=label)
    means = [each.measured.error for each in held_out]
    axes.plot(beside, means, "x", color=OTHER_COLOUR, label="measured mean")
