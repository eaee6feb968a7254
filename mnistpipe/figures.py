"""Arrays to Matplotlib figures. Nothing here reads or saves."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from jaxtyping import Float, Int, Int64, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.typing import ColorType
from numpy import ndarray

from mnistpipe.analysis import Mistakes, Neighbours
from mnistpipe.learning_curve import Point
from mnistpipe.params import BEST_STAGE, PAIRS, Perturbation
from mnistpipe.power_law import PowerLaw
from mnistpipe.robustness import Measurement
from mnistpipe.significance import wilson_interval
from mnistpipe.split import Labelled

# A sequence of ten colours that was chosen for colour-vision deficiencies (Petroff 2021).
CLASS_COLOURS = mpl.color_sequences["petroff10"]
TRAINING_COLOUR, TEST_COLOUR = CLASS_COLOURS[0], CLASS_COLOURS[2]
OTHER_COLOUR = CLASS_COLOURS[4]  # test error of the other series


def draw_learning_curve(points: Sequence[Point], law: PowerLaw | None, dataset: str) -> Figure:
    """Test error of each series and training error of the first, both axes logarithmic.

    The law is drawn where the first series has points. An error of zero has no place on a
    logarithmic axis; it is marked at the lower edge.
    """
    figure = Figure(figsize=(6.8, 5.4), layout="constrained")
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
        ms=4,
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
    axes.xaxis.set_minor_formatter(NullFormatter())
    _label_shares(axes, (1.0, 1.5, 2.0, 3.0, 5.0, 7.0))
    axes.legend(fontsize=8)
    several = any(len(point.seed_errors) > 1 for point in points)
    figure.supxlabel(
        f"Bars: Wilson's 95% interval, which the {points[0].test_images:,} test images alone leave "
        "open." + ("\nStrokes beside a point: the error of each seed." if several else ""),
        fontsize=8,
    )
    return figure


def draw_robustness(measurements: Sequence[Measurement], dataset: str) -> Figure:
    """Test error against blur and rotation: above the four runs, below the parts of the data.

    Bars are Wilson's 95 % intervals. On the logarithmic axis, no error at all is half an image.
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
    figure = Figure(figsize=(9.6, 7.2), layout="constrained")
    figure.suptitle(f"Test error on blurred and on turned images, with 95 % intervals\n{dataset}")
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
            _label_shares(axes, (1.0, 2.0, 5.0))
            axes.label_outer()
        cells[-1].legend(title=heading, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure


def _label_shares(axes: Axes, ticks: tuple[float, ...]) -> None:
    """A logarithmic axis of shares, in per cent, with ticks at these multiples of each power."""
    axes.yaxis.set_major_locator(LogLocator(subs=ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g}%"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.grid(which="major", alpha=0.3)


def _draw_law(axes: Axes, law: PowerLaw, points: Sequence[Point], colour: ColorType) -> None:
    examples = np.geomspace(points[0].examples, points[-1].examples, 100)
    errors = [law.error(float(number)) for number in examples]
    label = (
        f"fit: {law.scale.value:.3g} examples$^{{-{law.exponent.value:.2f}}}$ + "
        f"{100 * law.floor.value:.2f}%, with 95% band"
    )
    axes.plot(examples, [error.value for error in errors], color=colour, lw=1.2, label=label)
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
        **({"ms": 9, "mfc": "none", "zorder": 3} if "D" in style else {"ms": 5}),
    )
    for point in points:
        if len(point.seed_errors) > 1:
            strokes = [max(error, lowest) for error in point.seed_errors]
            beside = [1.06 * point.examples] * len(strokes)
            axes.plot(beside, strokes, "_", color=colour, ms=6)


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
    axes.errorbar(examples, np.where(zero, np.nan, errors), bars, capsize=3, label=label, **style)
    if zero.any():
        bars = None if bars is None else bars[:, zero]
        style |= {"fmt": "v", "ms": 7}
        axes.errorbar(
            examples[zero], places[zero], bars, capsize=3, label=f"{label}: zero", **style
        )


def draw_mistakes(test: Labelled, mistakes: Mistakes, count: int, dataset: str) -> Figure:
    """The most confident mistakes: each image with label, prediction and confidence."""
    count = min(count, len(mistakes.indices))
    columns = 5
    rows = max(1, -(-count // columns))
    figure = Figure(figsize=(1.5 * columns, 1.75 * rows + 0.5), layout="constrained")
    figure.suptitle(
        f"{dataset}: {count} of {len(mistakes.indices)} mistakes, the most confident first"
    )
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for cell in cells:
        cell.set_axis_off()
    for cell, index, predicted, confidence in zip(
        cells, mistakes.indices[:count], mistakes.predicted, mistakes.confidence, strict=False
    ):
        _show_image(cell, test.images[index])
        cell.set_title(
            f"true {test.labels[index]}, taken for {predicted}\n({_percent(confidence)})",
            fontsize=8,
        )
    return figure


def draw_kernels(kernels: Float[ndarray, "k 1 h w"], dataset: str) -> Figure:
    """All first-layer kernels on one scale that is symmetric about zero."""
    columns = 8
    rows = -(-len(kernels) // columns)
    figure = Figure(figsize=(7.2, 0.9 * rows + 0.8), layout="constrained")
    figure.suptitle(f"The {len(kernels)} kernels of Net's first layer, trained on {dataset}")
    limit = float(np.abs(kernels).max())
    grid = figure.subplots(rows, columns, squeeze=False)
    for cell in grid.flat:
        cell.set_axis_off()
    for number, (cell, kernel) in enumerate(zip(grid.flat, kernels[:, 0], strict=False)):
        picture = cell.imshow(kernel, cmap="PuOr", vmin=-limit, vmax=limit)
        cell.set_title(str(number), fontsize=7, pad=2)
    figure.colorbar(picture, ax=grid, label="weight", shrink=0.9)
    return figure


def draw_confusion(counts: Int[ndarray, "10 10"], dataset: str, *, normalise: bool) -> Figure:
    """The confusion matrix as counts, or each row as shares of its class."""
    figure = Figure(figsize=(6.4, 5.6), layout="constrained")
    axes = figure.subplots()
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    # Colour by share in both: counts of classes of different sizes would not compare. The
    # square root makes the few mistakes visible beside the many right answers.
    picture = axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1)
    for row in range(len(counts)):
        for column in range(len(counts)):
            if counts[row, column] == 0:
                continue
            text = f"{shares[row, column]:.3f}" if normalise else str(counts[row, column])
            colour = "white" if np.sqrt(shares[row, column]) > 0.55 else "black"  # noqa: PLR2004
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=7.5)
    bar = figure.colorbar(picture, ax=axes, label="share of the true class (square-root scale)")
    ticks = (0, 0.01, 0.1, 0.25, 0.5, 1)
    bar.set_ticks([math.sqrt(share) for share in ticks], labels=[f"{share:g}" for share in ticks])
    kind = "rows sum to one" if normalise else "numbers of images"
    right = int(np.trace(counts))
    axes.set(
        xticks=range(len(counts)),
        yticks=range(len(counts)),
        xlabel="predicted class",
        ylabel="true class",
        title=f"{right:,} of {counts.sum():,} test images right ({kind})\n{dataset}",
    )
    return figure


def draw_embedding(
    embedded: Float[ndarray, "n 2"], labels: Int64[ndarray, " n"], dataset: str
) -> Figure:
    """The t-SNE map, each class in its colour and named at its median."""
    figure = Figure(figsize=(8, 7), layout="constrained")
    axes = figure.subplots()
    size = float(np.clip(40_000 / len(labels), 4, 25))  # few points may be larger
    for number in np.unique(labels):
        x, y = embedded[labels == number].T
        colour = CLASS_COLOURS[number]
        axes.scatter(x, y, s=size, alpha=0.6, linewidths=0, color=colour, label=str(number))
        axes.text(
            float(np.median(x)),
            float(np.median(y)),
            str(number),
            ha="center",
            va="center",
            fontsize=13,
            weight="bold",
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": colour},
        )
    axes.set(
        xticks=[],
        yticks=[],
        xlabel="t-SNE, first dimension",
        ylabel="t-SNE, second dimension",
        title=f"{dataset}: features of {len(labels):,} test images",
    )
    axes.legend(
        title="class", loc="center left", bbox_to_anchor=(1, 0.5), markerscale=8 / size**0.5
    )
    return figure


def draw_neighbours(
    test: Labelled,
    queries: Int64[ndarray, " q"],
    neighbours: Neighbours,
    dataset: str,
    *,
    share: float,
) -> Figure:
    """A row for each query image: itself, then its nearest neighbours with label and distance."""
    columns = 1 + neighbours.indices.shape[1]
    width = max(1.0 * columns + 0.4, 7.0)  # of the heading, at least
    figure = Figure(figsize=(width, 1.25 * len(queries) + 0.7), layout="constrained")
    figure.suptitle(
        f"{dataset}: test images and their nearest neighbours among Net's features\n"
        f"(over the whole test set {share:.2%} of the neighbours have the query's label)",
        fontsize=10,
    )
    grid = figure.subplots(len(queries), columns, squeeze=False)
    for row, query in zip(grid, queries, strict=True):
        _show_image(row[0], test.images[query], frame="black")
        row[0].set_title(f"query: {test.labels[query]}", fontsize=8, weight="bold")
        for cell, index, distance in zip(
            row[1:], neighbours.indices[query], neighbours.distances[query], strict=True
        ):
            same = test.labels[index] == test.labels[query]
            _show_image(cell, test.images[index], frame=None if same else TEST_COLOUR)
            mark = "" if same else " (other)"
            cell.set_title(f"{test.labels[index]}{mark}\nat {distance:.2f}", fontsize=7)
    return figure


def _draw_strengths(axes: Axes, series: Sequence[Measurement], style: Mapping[str, Any]) -> None:
    strengths = [measurement.strength for measurement in series]
    shown = np.array([max(measurement.errors, 0.5) / measurement.count for measurement in series])
    accuracies = [wilson_interval(measurement.errors, measurement.count) for measurement in series]
    low, high = 1 - np.array(accuracies)[:, ::-1].T
    bars = np.clip([shown - low, high - shown], 0, None)
    axes.errorbar(strengths, shown, yerr=bars, capsize=2, elinewidth=1, **style)


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
    colours = mpl.colormaps["viridis"](np.linspace(0.1, 0.85, len(names)))
    lines = itertools.cycle(("^-", "v:", "D-."))
    for sweep, line in zip(sweeps, lines, strict=False):
        for name, colour in zip(names, colours, strict=True):
            styles[f"{sweep}@{name}"] = {"color": colour, "fmt": line}
    return styles


def _show_image(axes: Axes, image: UInt8[ndarray, "28 28"], frame: ColorType | None = None) -> None:
    axes.imshow(image, cmap="gray_r", vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    axes.set_axis_on()
    for spine in axes.spines.values():
        spine.set(edgecolor=frame or "lightgrey", linewidth=2 if frame else 0.5)


def _percent(probability: float) -> str:
    """Never rounds up to certainty."""
    return ">99.9%" if probability > 0.999 else f"{probability:.1%}"  # noqa: PLR2004
