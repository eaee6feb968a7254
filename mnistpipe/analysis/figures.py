"""What the best network learned, as figures."""

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int, Int64, UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.typing import ColorType
from numpy import ndarray

from mnistpipe.analysis.features import Mistakes, Neighbours
from mnistpipe.data.split import Labelled
from mnistpipe.files.figure_style import (
    CLASS_COLOURS,
    CLASS_MARKERS,
    INK,
    SHARES,
    SIGNED,
    TEST_COLOUR,
    name_classes,
)

_LETTER = 0.0077  # inches that a letter takes, on average, for each point of the font's size


def draw_mistakes(
    test: Labelled, mistakes: Mistakes, count: int, classes: Sequence[str], dataset: str
) -> Figure:
    """The most confident mistakes: each image with label, prediction and confidence."""
    names = name_classes(classes)
    longest = max(map(len, names))
    count = min(count, len(mistakes.indices))
    columns = 5
    rows = max(1, -(-count // columns))
    # Two names that are longer than a digit have a line each.
    between, height = (", ", 1.75) if longest <= 2 else ("\n", 1.9)  # noqa: PLR2004
    width = max(1.5, 8 * _LETTER * (len("taken for ") + longest))
    figure = Figure(figsize=(width * columns, height * rows + 0.5), layout="constrained")
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
            f"true {names[test.labels[index]]}{between}taken for {names[predicted]}\n"
            f"({_percent(confidence)})",
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
        picture = cell.imshow(kernel, cmap=SIGNED, vmin=-limit, vmax=limit)
        cell.set_title(str(number), fontsize=7, pad=2)
    figure.colorbar(picture, ax=grid, label="weight", shrink=0.9)
    return figure


def draw_confusion(
    counts: Int[ndarray, "c c"], classes: Sequence[str], dataset: str, *, normalise: bool
) -> Figure:
    """The confusion matrix as counts, or each row as shares of its class."""
    names = name_classes(classes)
    longest = max(map(len, names))
    few = len(names) <= 10  # noqa: PLR2004
    side = 5.6 if few else 0.3 * len(names) + 1.5
    width = 6.4 if few else 1.15 * side
    size, cell_size = (10, 7.5) if few else (8, 5.5)
    room = (longest - 1) * size * _LETTER  # for names on an axis, beside a digit's
    is_upright = longest > 3  # noqa: PLR2004
    figure = Figure(figsize=(width + room, side + room * is_upright), layout="constrained")
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
            colour = "white" if np.sqrt(shares[row, column]) > 0.55 else "black"  # noqa: PLR2004
            axes.text(column, row, text, ha="center", va="center", color=colour, fontsize=cell_size)
    bar = figure.colorbar(picture, ax=axes, label="share of the true class (square-root scale)")
    ticks = (0, 0.01, 0.1, 0.25, 0.5, 1)
    bar.set_ticks([math.sqrt(share) for share in ticks], labels=[f"{share:g}" for share in ticks])
    axes.set_xticks(range(len(names)), names, fontsize=size, rotation=90 * is_upright)
    axes.set_yticks(range(len(names)), names, fontsize=size)
    kind = "rows sum to one" if normalise else "numbers of images"
    right = int(np.trace(counts))
    axes.set(
        xlabel="predicted class",
        ylabel="true class",
        title=f"{right:,} of {counts.sum():,} test images right ({kind})\n{dataset}",
    )
    return figure


def draw_embedding(
    embedded: Float[ndarray, "n 2"],
    labels: Int64[ndarray, " n"],
    classes: Sequence[str],
    dataset: str,
) -> Figure:
    """The t-SNE map, each class in its colour and shape, and named at its median."""
    names = name_classes(classes)
    longest = max(map(len, names))
    letters = sum(map(len, names))
    side = 7 * float(np.clip(np.sqrt(letters / 200), 1, 2.5))  # with room for all names
    columns = math.ceil(len(names) / (3.7 * side))  # of the legend, each as high as the map
    font_size = 10 if len(names) <= 10 else 8  # noqa: PLR2004
    room = columns * (longest - 1) * font_size * _LETTER + 0.6 * (columns - 1)
    figure = Figure(figsize=(side + 1 + room, side), layout="constrained")
    axes = figure.subplots()
    few = len(names) <= 10 and longest <= 3  # noqa: PLR2004
    size = float(np.clip(40_000 / len(labels), 4, 25))  # few points may be larger
    for number in np.unique(labels):
        x, y = embedded[labels == number].T
        tens, units = divmod(int(number), len(CLASS_COLOURS))
        colour, marker = CLASS_COLOURS[units], CLASS_MARKERS[tens]
        axes.scatter(x, y, s=size, linewidths=0, color=colour, marker=marker)
        axes.text(
            float(np.median(x)),
            float(np.median(y)),
            names[number],
            ha="center",
            va="center",
            fontsize=13 if few else 8,
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
        axes.collections,
        [names[number] for number in np.unique(labels)],
        title="class",
        loc="center left",
        bbox_to_anchor=(1, 0.5),
        markerscale=8 / size**0.5,
        ncols=columns,
        fontsize=font_size,
    )
    return figure


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
    cell_width = max(1.0, 1.2 * 8 * _LETTER * (len("query: ") + longest))
    width = max(cell_width * columns + 0.4, 7.0)  # of the heading, at least
    figure = Figure(figsize=(width, 1.25 * len(queries) + 0.7), layout="constrained")
    heading = [
        f"{dataset}: test images and their nearest neighbours among Net's features",
        f"(over the whole test set {share:.2%} of the neighbours have the query's label)",
    ]
    if len(queries) < len(names):
        heading.append(f"{len(queries)} of {len(names)} classes")
    figure.suptitle("\n".join(heading), fontsize=10)
    grid = figure.subplots(len(queries), columns, squeeze=False)
    for row, query in zip(grid, queries, strict=True):
        _show_image(row[0], test.images[query], frame="black")
        row[0].set_title(f"query: {names[test.labels[query]]}", fontsize=8, weight="bold")
        for cell, index, distance in zip(
            row[1:], neighbours.indices[query], neighbours.distances[query], strict=True
        ):
            same = test.labels[index] == test.labels[query]
            _show_image(cell, test.images[index], frame=None if same else TEST_COLOUR)
            mark = "" if same else " (other)"
            cell.set_title(f"{names[test.labels[index]]}{mark}\nat {distance:.2f}", fontsize=7)
    return figure


def _show_image(axes: Axes, image: UInt8[ndarray, "28 28"], frame: ColorType | None = None) -> None:
    axes.imshow(image, cmap=INK, vmin=0, vmax=255)
    axes.set(xticks=[], yticks=[])
    axes.set_axis_on()
    for spine in axes.spines.values():
        spine.set(edgecolor=frame or "lightgrey", linewidth=2 if frame else 0.5)


def _percent(probability: float) -> str:
    """Never rounds up to certainty."""
    return ">99.9%" if probability > 0.999 else f"{probability:.1%}"  # noqa: PLR2004
