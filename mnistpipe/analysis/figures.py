"""What the best network learned, as figures."""

from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy import ndarray

from mnistpipe.analysis.features import Mistakes, Neighbours
from mnistpipe.data.catalogue import is_ink
from mnistpipe.data.split import Labelled
from mnistpipe.files.figure_style import (
    CLASS_COLOURS,
    CLASS_MARKERS,
    LINE,
    ONE_COLUMN,
    PAGE,
    SHARES,
    SIGNED,
    SMALL,
    TEST_COLOUR,
    TWO_COLUMNS,
    draw_pictures,
    frame,
    in_style,
    name_classes,
    show_image,
    text_width,
)

_FEW = 10  # classes
_CELL, _SMALL_CELL = 0.25, 0.22  # inches, of a confusion matrix of few classes and of more


@in_style
def draw_mistakes(
    test: Labelled, mistakes: Mistakes, count: int, classes: Sequence[str], dataset: str
) -> Figure:
    """The most confident mistakes: each image with label, prediction and confidence."""
    names = name_classes(classes)
    # Two names that are longer than a digit have a line each.
    between = ", " if max(map(len, names)) <= 2 else "\n"  # noqa: PLR2004
    indices = mistakes.indices[:count].tolist()
    captions = [
        f"true {names[test.labels[index]]}{between}taken for {names[predicted]}\n"
        f"({_percent(confidence)})"
        for index, predicted, confidence in zip(
            indices, mistakes.predicted, mistakes.confidence, strict=False
        )
    ]
    return draw_pictures(
        [test.images[index] for index in indices],
        captions,
        lambda shown: (
            f"{dataset}: {shown} of {len(mistakes.indices)} mistakes, the most confident first"
            if indices
            else f"{dataset}: no mistakes"
        ),
        ink=is_ink(dataset),
    )


@in_style
def draw_kernels(kernels: Float[ndarray, "k 1 h w"], dataset: str) -> Figure:
    """All first-layer kernels on one scale that is symmetric about zero."""
    columns = 8
    rows = -(-len(kernels) // columns)
    figure = Figure(figsize=(ONE_COLUMN, 0.4 * rows + 0.4), layout="constrained")
    figure.suptitle(f"The {len(kernels)} kernels of Net's first layer, trained on\n{dataset}")
    limit = float(np.abs(kernels).max())
    grid = figure.subplots(rows, columns, squeeze=False)
    for cell in grid.flat[len(kernels) :]:
        cell.set_axis_off()
    for number, (cell, kernel) in enumerate(zip(grid.flat, kernels[:, 0], strict=False)):
        picture = cell.imshow(kernel, cmap=SIGNED, vmin=-limit, vmax=limit)
        frame(cell)
        cell.set_title(str(number), fontsize=SMALL, pad=1)
    figure.colorbar(picture, ax=grid, label="weight", shrink=0.9)
    return figure


@in_style
def draw_confusion(
    counts: Int[ndarray, "c c"], classes: Sequence[str], dataset: str, *, normalise: bool
) -> Figure:
    """The confusion matrix as counts, or each row as shares of its class.

    Of more classes than two columns hold, those with the most mistakes are shown.
    """
    names = name_classes(classes)
    room = text_width(*names)
    cell = _CELL if len(names) <= _FEW else _SMALL_CELL
    most = int((TWO_COLUMNS - 0.55 - room) / cell)
    shown = _most_confused(counts, most)
    names = [names[number] for number in shown]
    side = max(cell * len(names), 2.6)  # inches, with room for the title
    is_upright = room > side / len(names)
    size = (side + 0.55 + room, side + 1.2 + room * is_upright)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    # Colour by share in both: counts of classes of different sizes would not compare. The
    # square root makes the few mistakes visible beside the many right answers.
    shares = (counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))[np.ix_(shown, shown)]
    axes.imshow(np.sqrt(shares), cmap=SHARES, vmin=0, vmax=1)
    for row, column in np.argwhere(shares > 0).tolist():
        share = shares[row, column]
        text = f"{share:.3f}".removeprefix("0")[:4]
        axes.text(
            column,
            row,
            text if normalise else str(counts[shown[row], shown[column]]),
            ha="center",
            va="center",
            color="white" if np.sqrt(share) > 0.55 else "black",  # noqa: PLR2004
            fontsize=SMALL,
        )
    axes.set_xticks(range(len(names)), names, rotation=90 * is_upright)
    axes.set_yticks(range(len(names)), names)
    notes = [
        "predicted class",
        f"in the cells: {'shares of the true class' if normalise else 'numbers of images'}",
        "colour: square root of the share of the true class",
    ]
    if len(names) < len(classes):
        notes.append(f"{len(names)} of {len(classes)} classes: those with the most mistakes")
    right = int(np.trace(counts))
    axes.set(
        xlabel="\n".join(notes),
        ylabel="true class",
        title=f"{right:,} of {counts.sum():,} test images right\n{dataset}",
    )
    return figure


def _most_confused(counts: Int[ndarray, "c c"], most: int) -> Int64[ndarray, " s"]:
    """The classes whose images, or that others' images, are most often taken for another."""
    mistakes = counts.sum(axis=0) + counts.sum(axis=1) - 2 * counts.diagonal()
    return np.sort((-mistakes).argsort(kind="stable")[:most])


@in_style
def draw_embedding(
    embedded: Float[ndarray, "n 2"],
    labels: Int64[ndarray, " n"],
    classes: Sequence[str],
    dataset: str,
) -> Figure:
    """The t-SNE map, each class in its colour and shape, and named at its median or near it."""
    names = name_classes(classes)
    is_small = len(names) <= _FEW and max(map(len, names)) <= 3  # noqa: PLR2004
    side = ONE_COLUMN if is_small else TWO_COLUMNS
    figure = Figure(figsize=(side, side), layout="constrained")
    axes = figure.subplots()
    size = float(np.clip(side**2 * 1500 / len(labels), 1.5, 12))  # few points may be larger
    points: dict[str, Any] = {"linewidths": 0, "rasterized": True}
    numbers = np.unique(labels)
    colours = []
    for number in numbers:
        tens, units = divmod(int(number), len(CLASS_COLOURS))
        colour, marker = CLASS_COLOURS[units], CLASS_MARKERS[tens]
        x, y = embedded[labels == number].T
        axes.scatter(x, y, s=size, color=colour, marker=marker, **points)
        colours.append(colour)
    axes.set(
        xticks=[],
        yticks=[],
        xlabel="t-SNE, first dimension",
        ylabel="t-SNE, second dimension",
        title=f"Features of {len(labels):,} test images\n{dataset}",
    )
    figure.draw_without_rendering()
    medians = np.array([np.median(embedded[labels == number], axis=0) for number in numbers])
    shown = [names[number] for number in numbers]
    _name_clouds(axes, medians, shown, colours, size=9.0 if is_small else float(SMALL))
    return figure


def _name_clouds(
    axes: Axes,
    places: Float[ndarray, "c 2"],
    names: Sequence[str],
    colours: Sequence[str],
    size: float,
) -> None:
    """Each name in a box at its place, or as near to it as others and the axes leave it room."""
    to_inches = axes.transData - axes.figure.dpi_scale_trans
    low, high = (axes.transAxes - axes.figure.dpi_scale_trans).transform([(0, 0), (1, 1)])
    steps = np.array([*product(range(-6, 7), range(-40, 41))]) / 2  # boxes to the side, and up
    taken: list[tuple[Float[ndarray, " 2"], Float[ndarray, " 2"]]] = []  # middles and sizes
    for place, name, colour in zip(places, names, colours, strict=True):
        box = np.array([text_width(name, size=1.15 * size) + 0.6 * size / 72, 1.9 * size / 72])
        moves = steps * box
        moves = moves[np.hypot(*moves.T).argsort(kind="stable")]
        middles = (to_inches.transform(place) + moves).clip(low + box / 2, high - box / 2)
        free = np.full(len(middles), fill_value=True)
        for middle, other in taken:
            free &= (np.abs(middles - middle) >= (box + other) / 2).any(axis=1)
        middle = middles[free.argmax()]  # the first one, if none is free
        taken.append((middle, box))
        x, y = to_inches.inverted().transform(middle)
        axes.text(
            x,
            y,
            name,
            ha="center",
            va="center",
            fontsize=size,
            weight="bold",
            bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": colour},
        )


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
    """A row for each query image: itself, then its nearest neighbours with label and distance.

    As many neighbours and rows as a page holds.
    """
    names = name_classes(classes, longest=14)
    has_room = max(map(len, names)) <= 3  # noqa: PLR2004
    between = " " if has_room else "\n"
    side = 0.62 if has_room else max(0.67, text_width(*names, size=1.15 * SMALL) + 0.08)  # inches
    columns = min(1 + neighbours.indices.shape[1], int(TWO_COLUMNS / side))
    row_height = side + (1.5 if has_room else 2.5) * LINE
    queries = queries[: int((PAGE - 0.75) / row_height)]
    width = max(side * columns, 4.6)  # of the heading, at least
    size = (width, row_height * len(queries) + 0.75)
    figure = Figure(figsize=size, layout="constrained")
    heading = [
        "Test images and their nearest neighbours among Net's features",
        dataset,
        "with label and distance; framed: not of the query's class, as "
        f"{1 - share:.2%} of all neighbours",
    ]
    if len(queries) < len(names):
        heading.append(f"{len(queries)} of {len(names)} classes")
    figure.suptitle("\n".join(heading), fontsize="medium")
    grid = figure.subplots(len(queries), columns, squeeze=False)
    for row, query in zip(grid, queries, strict=True):
        show_image(row[0], test.images[query], edge="black", ink=is_ink(dataset))
        title = f"query:{between}{names[test.labels[query]]}"
        row[0].set_title(title, fontsize=SMALL, weight="bold", pad=2)
        for cell, index, distance in zip(
            row[1:], neighbours.indices[query], neighbours.distances[query], strict=False
        ):
            same = test.labels[index] == test.labels[query]
            edge = None if same else TEST_COLOUR
            show_image(cell, test.images[index], edge, ink=is_ink(dataset))
            title = f"{names[test.labels[index]]},{between}{distance:.2f}"
            cell.set_title(title, fontsize=SMALL, pad=2)
    return figure


def _percent(probability: float) -> str:
    """Never rounds up to certainty."""
    return ">99.9%" if probability > 0.999 else f"{probability:.1%}"  # noqa: PLR2004
