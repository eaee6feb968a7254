"""How sure the networks are, as figures."""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter
from numpy import ndarray

from mnistpipe.confidence.calibration import LEAST_COVERAGE, Reliability, RiskCoverage
from mnistpipe.confidence.labels import Disputed
from mnistpipe.data.split import Labelled
from mnistpipe.files.figure_style import (
    LETTER,
    SMALL,
    TEST_COLOUR,
    TRAINING_COLOUR,
    TWO_COLUMNS,
    in_style,
    name_classes,
    show_image,
)
from mnistpipe.scoring.significance import wilson_interval

_MOST = 48  # disputed images that are shown


@in_style
def draw_calibration(
    reliability: Reliability, risk: RiskCoverage, stage: str, dataset: str
) -> Figure:
    """A reliability diagram above the numbers of answers, beside risk against coverage."""
    figure = Figure(figsize=(TWO_COLUMNS, 3.2), layout="constrained")
    figure.suptitle(f"{dataset}: is {stage} sure when it is right? (with 95 % intervals)")
    cells = figure.subplot_mosaic([["accuracy", "risk"], ["count", "risk"]], height_ratios=[3, 1])
    cells["count"].sharex(cells["accuracy"])
    _draw_reliability(cells["accuracy"], cells["count"], reliability)
    _draw_risk(cells["risk"], risk)
    return figure


def _draw_reliability(axes: Axes, counts: Axes, reliability: Reliability) -> None:
    bins = len(reliability.count)
    used = np.flatnonzero(reliability.count)
    right, count = reliability.right[used], reliability.count[used]
    pairs = zip(right.tolist(), count.tolist(), strict=True)
    ends = np.array([wilson_interval(*pair) for pair in pairs]).T
    accuracy = right / count
    axes.plot([0, 1], [0, 1], color="grey", linewidth=0.8, label="as sure as right")
    axes.errorbar(
        reliability.confidence[used],
        accuracy,
        yerr=np.clip([accuracy - ends[0], ends[1] - accuracy], 0, None),
        fmt="o",
        elinewidth=0.8,
        color=TEST_COLOUR,
        label=f"bins of width 1/{bins}",
    )
    axes.set(ylabel="accuracy", xlim=(0, 1.02), ylim=(-0.02, 1.05))
    axes.tick_params(labelbottom=False)
    axes.grid(alpha=0.3)
    axes.legend()
    counts.bar(
        np.arange(bins) / bins, reliability.count, width=1 / bins, align="edge", color=TEST_COLOUR
    )
    counts.set(xlabel="confidence", ylabel="images", yscale="log", ylim=(0.5, None))
    for axis in (axes.xaxis, axes.yaxis, counts.xaxis):
        axis.set_major_formatter(PercentFormatter(1, decimals=0))


def _draw_risk(axes: Axes, risk: RiskCoverage) -> None:
    shown = risk.answers >= LEAST_COVERAGE * risk.total
    answers, errors = risk.answers[shown], risk.errors[shown]
    pairs = zip(errors.tolist(), answers.tolist(), strict=True)
    low, high = np.array([wilson_interval(*pair) for pair in pairs]).T
    coverage = answers / risk.total
    axes.fill_between(coverage, low, high, step="mid", alpha=0.25, linewidth=0, color=TEST_COLOUR)
    axes.plot(coverage, errors / answers, color=TEST_COLOUR, label="the most confident images")
    axes.axhline(
        errors[-1] / answers[-1], color=TRAINING_COLOUR, linestyle="--", label="all images"
    )
    top = max(1.6 * errors[-1] / answers[-1], 0.001)
    axes.set(
        xlabel="coverage: share of the images, the most confident first",
        ylabel="risk: share of them misclassified",
        xlim=(0, 1.02),
        ylim=(0, top),
    )
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left")


@in_style
def draw_disputed(
    test: Labelled,
    disputed: Disputed,
    predicted: Int64[ndarray, "n k"],
    classes: Sequence[str],
    dataset: str,
    rejected: Collection[int] = (),
) -> Figure:
    """The disputed test images with the least probable labels, and what the networks say.

    Args:
        test: the test images, with their labels.
        disputed: those of them that are disputed.
        predicted: what each network says of each test image.
        classes: their names.
        dataset: its title.
        rejected: the images whose labels human reviewers rejected; they are framed.

    """
    names = name_classes(classes)
    longest = max(map(len, names))
    shown = disputed.indices[:_MOST]
    # Two names that are longer than a digit have a line each.
    between, lines = (", ", 2) if longest <= 2 else ("\n", 3)  # noqa: PLR2004
    letters = max(len("9 by 11, 4 by 1") if lines == 2 else 0, len("labelled ") + longest)  # noqa: PLR2004
    columns = int(TWO_COLUMNS / (SMALL * LETTER * letters + 0.06))
    rows = max(1, -(-len(shown) // columns))
    side = TWO_COLUMNS / columns
    size = (TWO_COLUMNS, (side + lines * 1.3 * SMALL / 72) * rows + 0.4)
    figure = Figure(figsize=size, layout="constrained")
    heading = (
        f"{dataset}: {len(shown)} of {len(disputed.indices)} test images that most of the "
        f"{predicted.shape[1]} networks call the same other class"
    )
    framed = "\nframed: human reviewers rejected the label" if rejected else ""
    figure.suptitle(heading + framed)
    cells = figure.subplots(rows, columns, squeeze=False).ravel()
    for cell in cells:
        cell.set_axis_off()
    for cell, index in zip(cells, shown.tolist(), strict=False):
        show_image(cell, test.images[index], frame=TEST_COLOUR if index in rejected else None)
        says = Counter(predicted[index].tolist()).most_common(2)
        cell.set_title(
            f"labelled {names[test.labels[index]]}\n"
            + between.join(f"{names[number]} by {votes}" for number, votes in says),
            fontsize=SMALL,
            pad=2,
        )
    return figure
