"""What the best network learned, as figures."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Int64
from matplotlib.figure import Figure
from numpy import ndarray

from mnistpipe.analysis.features import Mistakes, Neighbours
from mnistpipe.data.split import Labelled
from mnistpipe.files.figure_style import (
    CLASS_COLOURS,
    CLASS_MARKERS,
    LETTER,
    ONE_COLUMN,
    SHARES,
    SIGNED,
    SMALL,
    TEST_COLOUR,
    TWO_COLUMNS,
    in_style,
    name_classes,
    show_image,
)

_FEW = 10  # classes; figures of more take the room that they need


@in_style
def draw_mistakes(
    test: Labelled, mistakes: Mistakes, count: int, classes: Sequence[str], dataset: str
) -> Figure:
    """The most confident mistakes: each image with label, prediction and confidence."""
    names = name_classes(classes)
    longest = max(map(len, names))
    count = min(count, len(mistakes.indices))
    # Two names that are longer than a digit have a line each.
    between, lines = (", ", 2) if longest <= 2 else ("\n", 3)  # noqa: PLR2004
    columns = int(TWO_COLUMNS / (SMALL * LETTER * max(19, len("taken for ") + longest) + 0.06))
    rows = max(1, -(-count // columns))
    side = TWO_COLUMNS / columns
    size = (TWO_COLUMNS, (side + lines * 1.3 * SMALL / 72) * rows + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    figure.suptitle(
        f"{dataset}: {count} of {len(mistakes.indices)} mistakes, the most confident first"
    )
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for cell in cells:
        cell.set_axis_off()
    for cell, index, predicted, confidence in zip(
        cells, mistakes.indices[:count], mistakes.predicted, mistakes.confidence, strict=False
    ):
        show_image(cell, test.images[index])
        cell.set_title(
            f"true {names[test.labels[index]]}{between}taken for {names[predicted]}\n"
            f"({_percent(confidence)})",
            fontsize=SMALL,
            pad=2,
        )
    return figure


@in_style
def draw_kernels(kernels: Float[ndarray, "k 1 h w"], dataset: str) -> Figure:
    """All first-layer kernels on one scale that is symmetric about zero."""
    columns = 8
    rows = -(-len(kernels) // columns)
    figure = Figure(figsize=(ONE_COLUMN, 0.4 * rows + 0.4), layout="constrained")
    figure.suptitle(f"The {len(kernels)} kernels of Net's first layer, trained on\n{dataset}")
    limit = float(np.abs(kernels).max())
    grid = figure.subplots(rows, columns, squeeze=False)
    for cell in grid.flat:
        cell.set_axis_off()
    for number, (cell, kernel) in enumerate(zip(grid.flat, kernels[:, 0], strict=False)):
        picture = cell.imshow(kernel, cmap=SIGNED, vmin=-limit, vmax=limit)
        cell.set_title(str(number), fontsize=SMALL, pad=1)
    figure.colorbar(picture, ax=grid, label="weight", shrink=0.9)
    return figure


@in_style
def draw_confusion(
    counts: Int[ndarray, "c c"], classes: Sequence[str], dataset: str, *, normalise: bool
) -> Figure:
    """The confusion matrix as counts, or each row as shares of its class."""
    names = name_classes(classes)
    longest = max(map(len, names))
    few = len(names) <= _FEW
    cell = 0.31 if few else 0.2  # inches
    side = max(cell * len(names), 2.4)  # with room for the title, and for the scale's name
    room = (longest - 1) * SMALL * LETTER  # for names on an axis, beside a digit's
    is_upright = longest > 2  # noqa: PLR2004
    width, height = 1.15 * side + 0.8 + room, side + 0.8 + room * is_upright
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / np.maximum(totals, 1)
    # Colour by share in both: counts of classes of different sizes would not compare. The
    # square root makes the few mistakes visible beside the many right answers.
    picture = axes.imshow(np.sqrt(shares), cmap=SHARES, vmin=0, vmax=1)
    for row in range(len(counts)):
        for column in range(len(counts)):
            if counts[row, column] == 0:
                continue
            text = f"{shares[row, column]:.3f}" if normalise else str(counts[row, column])
            if normalise and not few:
                text = text.removeprefix("0")[:4]  # which fits
            colour = "white" if np.sqrt(shares[row, column]) > 0.55 else "black"  # noqa: PLR2004
            axes.text(
                column,
                row,
                text,
                ha="center",
                va="center",
                color=colour,
                fontsize=SMALL,
            )
    bar = figure.colorbar(picture, ax=axes, label="share of the true class (square-root scale)")
    ticks = (0, 0.01, 0.1, 0.25, 0.5, 1)
    bar.set_ticks([math.sqrt(share) for share in ticks], labels=[f"{share:g}" for share in ticks])
    axes.set_xticks(range(len(names)), names, rotation=90 * is_upright)
    axes.set_yticks(range(len(names)), names)
    kind = "rows sum to one" if normalise else "numbers of images"
    right = int(np.trace(counts))
    axes.set(
        xlabel="predicted class",
        ylabel="true class",
        title=f"{right:,} of {counts.sum():,} test images right ({kind})\n{dataset}",
    )
    return figure


@in_style
def draw_embedding(
    embedded: Float[ndarray, "n 2"],
    labels: Int64[ndarray, " n"],
    classes: Sequence[str],
    dataset: str,
) -> Figure:
    """The t-SNE map, each class in its colour and shape, and named at its median."""
    names = name_classes(classes)
    longest = max(map(len, names))
    has_room = len(names) <= _FEW and longest <= 3  # noqa: PLR2004
    letters = sum(map(len, names))
    side = ONE_COLUMN if has_room else 4 * float(np.clip(np.sqrt(letters / 100), 1, 2.5))
    columns = 0 if has_room else math.ceil(len(names) / (6 * side))  # of a legend, high as the map
    room = columns * (longest * SMALL * LETTER + 0.4)
    figure = Figure(figsize=(side + room, side), layout="constrained")
    axes = figure.subplots()
    size = float(np.clip(side**2 * 1500 / len(labels), 1.5, 12))  # few points may be larger
    points: dict[str, Any] = {"linewidths": 0, "rasterized": True}
    for number in np.unique(labels):
        x, y = embedded[labels == number].T
        tens, units = divmod(int(number), len(CLASS_COLOURS))
        colour, marker = CLASS_COLOURS[units], CLASS_MARKERS[tens]
        axes.scatter(x, y, s=size, color=colour, marker=marker, **points)
        axes.text(
            float(np.median(x)),
            float(np.median(y)),
            names[number],
            ha="center",
            va="center",
            fontsize=9 if has_room else SMALL,
            weight="bold",
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": colour},
        )
    axes.set(
        xticks=[],
        yticks=[],
        xlabel="t-SNE, first dimension",
        ylabel="t-SNE, second dimension",
        title=f"Features of {len(labels):,} test images\n{dataset}",
    )
    if not has_room:
        axes.legend(
            axes.collections,
            [names[number] for number in np.unique(labels)],
            title="class",
            loc="center left",
            bbox_to_anchor=(1, 0.5),
            markerscale=4 / size**0.5,
            ncols=columns,
        )
    return figure


@in_style
def draw_neighbours(
    test: Labelled,
    queries: Int64[ndarray, " q"],
    neighbours: Neighbours,
    classes: Sequence[str],
    dataset: str,
    *,
    share: float,
) -> Figure:
    """A row for each query image: itself, then its nearest neighbours with label and distance."""
    names = name_classes(classes)
    longest = max(map(len, names))
    columns = 1 + neighbours.indices.shape[1]
    between = " " if longest <= 3 else "\n"  # noqa: PLR2004
    cell_width = max(0.62, 1.2 * SMALL * LETTER * (longest + len(" (other)")))
    width = max(cell_width * columns, 4.2)  # of the heading, at least
    height = 0.85 * len(queries) + 0.75
    figure = Figure(figsize=(width, height), layout="constrained")
    heading = [
        "Test images and their nearest neighbours among Net's features",
        dataset,
        f"(over the whole test set {share:.2%} of the neighbours have the query's label)",
    ]
    if len(queries) < len(names):
        heading.append(f"{len(queries)} of {len(names)} classes")
    figure.suptitle("\n".join(heading), fontsize="medium")
    grid = figure.subplots(len(queries), columns, squeeze=False)
    for row, query in zip(grid, queries, strict=True):
        show_image(row[0], test.images[query], frame="black")
        title = f"query:{between}{names[test.labels[query]]}"
        row[0].set_title(title, fontsize=SMALL, weight="bold", pad=2)
        for cell, index, distance in zip(
            row[1:], neighbours.indices[query], neighbours.distances[query], strict=True
        ):
            same = test.labels[index] == test.labels[query]
            show_image(cell, test.images[index], frame=None if same else TEST_COLOUR)
            mark = "" if same else " (other)"
            cell.set_title(
                f"{names[test.labels[index]]}{mark}\nat {distance:.2f}", fontsize=SMALL, pad=2
            )
    return figure


def _percent(probability: float) -> str:
    """Never rounds up to certainty."""
    return ">99.9%" if probability > 0.999 else f"{probability:.1%}"  # noqa: PLR2004
