"""The report's section about the learning curve."""

from collections.abc import Mapping, Sequence
from typing import Any

from mnistpipe.learning_curve import FARTHEST, TARGETS, UNTOLD, Point, gather, series_name
from mnistpipe.markdown import table
from mnistpipe.params import BEST_STAGE, SWEEP
from mnistpipe.writeup import REPORTED


def write_curve(summary: Mapping[str, Any], *, comparable: bool) -> str:
    """Points, law, extrapolation and what updates change, from the study's summary as Markdown.

    Args:
        summary: with the sweeps, the network on all data and the curve's own metrics.
        comparable: whether the write-up's numbers are of the same data set.

    """
    curve = summary["learning-curve"]
    points = gather(
        {**summary["partial-data"], "full": summary[BEST_STAGE]},
        summary["partial-data-steps"],
        min_steps=curve["min_steps"],
        other_min_steps=curve["other_min_steps"],
    )
    return f"""\
{_points_table(points)}

The interval is Wilson's 95 % interval, from the number of test images alone; the standard
deviation is what other seeds change.

The full data is `{BEST_STAGE}`, with that recipe's own number of epochs.

{_law_sentences(curve["fit"], series_name(curve["min_steps"]))}

{_extrapolation_table(curve["examples_for"])}

{UNTOLD.capitalize()}: the interval has no end, as the floor may lie above that error, or ends
beyond {FARTHEST:,} examples, a hundred times all of MNIST. This assumes that the law holds where
nobody has measured.

{_updates_sentences(points, comparable=comparable)}"""


def _points_table(points: Sequence[Point]) -> str:
    rows = []
    for point in points:
        low, high = point.interval
        spread = "one seed" if point.seed_sd is None else f"{100 * point.seed_sd:.2f}"
        rows.append(
            [
                point.series,
                point.name,
                f"{point.examples:,}",
                f"{point.updates:,}",
                f"{point.test_error:.2%}",
                spread,
                f"{low:.2%} to {high:.2%}",
            ]
        )
    header = [
        "series",
        "part of the data",
        "examples",
        "updates",
        "test error",
        "standard deviation over seeds (points)",
        "95 % interval",
    ]
    return table(header, rows, n_text_columns=2)


def _law_sentences(fit: Mapping[str, Any], series: str) -> str:
    if "verdict" in fit:
        return (
            f"The law behind the points with {series} {UNTOLD}: that takes four of them with "
            "mistakes, and errors that fall for certain."
        )
    scale, exponent, floor = (fit[name] for name in ("scale", "exponent", "floor"))
    return (
        f"The points with {series} follow\n\n"
        f"    test error = {scale['value']:.3g} * examples^-{exponent['value']:.2f} "
        f"+ {floor['value']:.2%}\n\n"
        "by maximum likelihood. The bootstrap's 95 % intervals: "
        f"scale {scale['low']:.3g} to {scale['high']:.3g}, "
        f"exponent {exponent['low']:.2f} to {exponent['high']:.2f}, "
        f"floor {floor['low']:.2%} to {floor['high']:.2%}. "
        f"If the law were true, points would lie as far off it as these, or farther, in "
        f"{fit['p_value']:.0%} of all cases. Where a point has one seed, all this leaves out what "
        "another would change."
    )


def _extrapolation_table(answers: Mapping[str, Mapping[str, Any]]) -> str:
    rows = []
    for name, error in TARGETS.items():
        answer = answers[name]
        if "value" in answer:
            cells = [f"{answer['value']:,}", f"{answer['low']:,} to {answer['high']:,}"]
        else:
            least = answer.get("at_least")
            cells = [UNTOLD, f"at least {least:,}" if least else UNTOLD]
        rows.append([f"{1 - error:.1%}", *cells])
    return table(["test accuracy", "training examples", "95 % interval"], rows, n_text_columns=0)


def _updates_sentences(points: Sequence[Point], *, comparable: bool) -> str:
    """What more updates change where the examples are fewest."""
    by_examples: dict[int, list[Point]] = {}
    for point in points:
        by_examples.setdefault(point.examples, []).append(point)
    pairs = [pair for pair in by_examples.values() if len({one.updates for one in pair}) > 1]
    if not pairs:
        return "No part of the data was trained with two numbers of updates."
    pair = min(pairs, key=lambda pair: pair[0].examples)
    fewer, more = (extreme(pair, key=lambda one: one.updates) for extreme in (min, max))
    before, after = fewer.test_error, more.test_error
    text = (
        f"With {more.examples:,} examples (the {more.name}), {more.updates:,} updates instead of "
        f"{fewer.updates:,} take the test error from {before:.2%} to {after:.2%}: "
    )
    if more.interval[1] < fewer.interval[0]:
        text += (
            f"the intervals are apart, and {100 * (before - after):.2f} of the {100 * before:.2f} "
            "points came from too few updates, not from too few examples."
        )
    elif more.interval[0] > fewer.interval[1]:
        text += "the intervals are apart, and more updates do harm."
    else:
        text += "the intervals overlap, so that no difference can be told."
    reported = REPORTED.get(f"{SWEEP}@{fewer.name}")
    if comparable and reported and 1 - reported.accuracy > fewer.interval[1]:
        text += (
            f" The write-up reports {1 - reported.accuracy:.2%} there; as ours has {before:.2%} "
            f"with {fewer.updates:,} updates, few updates alone do not explain that."
        )
    return text
