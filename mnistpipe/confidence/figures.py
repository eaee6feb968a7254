"""How sure the networks are, as figures."""

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
from jaxtyping import Int64
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, PercentFormatter, StrMethodFormatter
from numpy import ndarray

from mnistpipe.confidence.calibration import LEAST_COVERAGE, Reliability, RiskCoverage
from mnistpipe.confidence.labels import Disputed
from mnistpipe.data.catalogue import is_ink
from mnistpipe.data.split import Labelled
from mnistpipe.files.figure_style import (
    PAGE,
    TEST_COLOUR,
    TRAINING_COLOUR,
    TWO_COLUMNS,
    draw_pictures,
    in_style,
    name_classes,
)
from mnistpipe.scoring.significance import wilson_interval

_MOST = 48  # disputed images that are shown


@in_style
def draw_calibration(
    reliability: Reliability, risk: RiskCoverage, stage: str, dataset: str
) -> Figure:
    """A reliability diagram above the numbers of answers, beside risk against coverage."""
    figure = Figure(figsize=(TWO_COLUMNS, 3.2), layout="constrained")
    figure.suptitle(f"{dataset}: is {stage} sure when it is right? (with Wilson's 95% intervals)")
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
    _put_legend_above(axes)
    # An outline: on a logarithmic axis, which has no zero, filled bars would lie by their areas.
    counts.stairs(reliability.count, np.linspace(0, 1, bins + 1), baseline=0.5, color=TEST_COLOUR)
    top = 2 * max(int(reliability.count.max()), 1)
    counts.set(xlabel="confidence", ylabel="images", yscale="log", ylim=(0.5, top))
    counts.yaxis.set_major_locator(LogLocator(numticks=4))
    counts.yaxis.set_minor_locator(NullLocator())
    counts.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    counts.grid(alpha=0.3)
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
    top = min(1.05 * max(float(high.max()), 0.001), 1.02)
    axes.set(
        xlabel="coverage: share of the images, the most confident first",
        ylabel="risk: share of them misclassified",
        xlim=(0, 1.02),
        ylim=(0, top),
    )
    axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.grid(alpha=0.3)
    _put_legend_above(axes)


def _put_legend_above(axes: Axes) -> None:
    """In a line, where it hides nothing."""
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderpad=0)


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
    indices = disputed.indices[:_MOST].tolist()
    # Two names that are longer than a digit have a line each.
    between = ", " if max(map(len, names)) <= 2 else "\n"  # noqa: PLR2004
    captions = []
    for index in indices:
        says = Counter(predicted[index].tolist()).most_common(2)
        said = [f"{names[number]} by {votes}" for number, votes in says]
        captions.append(f"labelled {names[test.labels[index]]}\n{between.join(said)}")
    return draw_pictures(
        [test.images[index] for index in indices],
        captions,
        lambda shown: (
            f"{dataset}: {shown} of {len(disputed.indices)} test images that most of the "
            f"{predicted.shape[1]} networks call the same other class\n"
            "below the label: what the networks say, and how many of them"
            + ("; framed: human reviewers rejected the label" if rejected else "")
            if indices
            else f"{dataset}: no test image that most of the {predicted.shape[1]} networks call "
            "the same other class"
        ),
        height=PAGE,
        frames={place: TEST_COLOUR for place, index in enumerate(indices) if index in rejected},
        ink=is_ink(dataset),
    )
