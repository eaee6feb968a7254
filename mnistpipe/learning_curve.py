"""The error against the number of training examples."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Point:
    """One network of the learning curve.

    Attributes:
        name: of the fraction in params.yaml, or `full`.
        examples: how many images it was trained on.
        training_error: share of those images that it classifies wrongly.
        test_error: share of the test images that it classifies wrongly.

    """

    name: str
    examples: int
    training_error: float
    test_error: float


def gather(metrics: Mapping[str, Mapping[str, Any]]) -> list[Point]:
    """The points of the curve, fewest examples first, from each run's metrics by name."""
    points = [
        Point(
            name=name,
            examples=run["examples"],
            training_error=run["train"]["errors"] / run["train"]["count"],
            test_error=run["test"]["errors"] / run["test"]["count"],
        )
        for name, run in metrics.items()
    ]
    return sorted(points, key=lambda point: point.examples)
