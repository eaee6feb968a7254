"""The learning curve: its points, their law, where that leads and what updates change."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mnistpipe.learning_curve.points import FARTHEST, TARGETS, Point, gather, series_name
from mnistpipe.report.summary import Metrics
from mnistpipe.report.writeup import REPORTED
from mnistpipe.scoring.significance import CountDifference, compare_counts
from mnistpipe.training.plan import BEST_STAGE, STEPS_SWEEP, SWEEP


@dataclass(frozen=True)
class Answer:
    """How many training examples an accuracy takes by the law.

    Attributes:
        accuracy: share of the test images.
        examples: their number, or None if it cannot be told.
        interval: its 95 % interval, likewise.
        at_least: where it cannot be told, the interval's lower end, if there is one.

    """

    accuracy: float
    examples: int | None
    interval: tuple[int, int] | None
    at_least: int | None


@dataclass(frozen=True)
class Updates:
    """What more updates change on the same examples.

    Attributes:
        fewer: the point with the fewest updates.
        more: the point with the most.
        difference: what chance makes of their numbers of errors.
        unexplained: the write-up's test error there, if ours with fewer updates is better.

    """

    fewer: Point
    more: Point
    difference: CountDifference
    unexplained: float | None

    @property
    def gain(self) -> float:
        """The test error that more updates take away, as a share of the images."""
        return self.fewer.test_error - self.more.test_error


@dataclass(frozen=True)
class Curve:
    """What the report says of the learning curve.

    Attributes:
        points: of both series.
        full_stage: which stage is the full data's point.
        series: whose points the law is behind.
        law: `scale`, `exponent` and `floor`, each with `value`, `low` and `high`, and `p_value`;
            None if it cannot be told.
        answers: where the law leads.
        farthest: number of examples beyond which no law is trusted.
        updates: what more of them change where the examples are fewest; None if no part of the
            data was trained with two numbers of them.

    """

    points: list[Point]
    full_stage: str
    series: str
    law: Mapping[str, Any] | None
    answers: list[Answer]
    farthest: int
    updates: Updates | None


def learning_curve(summary: Metrics, *, comparable: bool) -> Curve:
    """From the study's summary.

    Args:
        summary: with the sweeps, the network on all data and the curve's own metrics.
        comparable: whether the write-up's numbers are of the same data set.

    """
    curve = summary["learning-curve"]
    points = gather(
        {**summary[SWEEP], "full": summary[BEST_STAGE]},
        summary[STEPS_SWEEP],
        min_steps=curve["min_steps"],
        other_min_steps=curve["other_min_steps"],
    )
    return Curve(
        points=points,
        full_stage=BEST_STAGE,
        series=series_name(curve["min_steps"]),
        law=None if "verdict" in curve["fit"] else curve["fit"],
        answers=[_answer(error, curve["examples_for"][name]) for name, error in TARGETS.items()],
        farthest=FARTHEST,
        updates=_updates(points, comparable=comparable),
    )


def _answer(error: float, answer: Mapping[str, Any]) -> Answer:
    if "value" in answer:
        return Answer(1 - error, answer["value"], (answer["low"], answer["high"]), None)
    return Answer(1 - error, None, None, answer.get("at_least"))


def _updates(points: Sequence[Point], *, comparable: bool) -> Updates | None:
    by_examples: dict[int, list[Point]] = {}
    for point in points:
        by_examples.setdefault(point.examples, []).append(point)
    pairs = [pair for pair in by_examples.values() if len({one.updates for one in pair}) > 1]
    if not pairs:
        return None
    pair = min(pairs, key=lambda pair: pair[0].examples)
    fewer, more = (extreme(pair, key=lambda one: one.updates) for extreme in (min, max))
    reported = REPORTED.get(f"{SWEEP}@{fewer.name}") if comparable else None
    beside = (
        compare_counts([reported.errors], fewer.errors, fewer.test_images) if reported else None
    )
    return Updates(
        fewer,
        more,
        difference=compare_counts(fewer.errors, more.errors, fewer.test_images),
        unexplained=1 - reported.accuracy
        if reported and beside and beside.verdict == "better"
        else None,
    )
