from typing import Any

from mnistpipe.learning_curve import Point, gather


def metrics(examples: int, training_errors: int, test_errors: int) -> dict[str, Any]:
    return {
        "examples": examples,
        "train": {"errors": training_errors, "count": examples},
        # Of all images that could have been trained on: no part of the curve.
        "train_split": {"errors": 999, "count": 51_000},
        "test": {"errors": test_errors, "count": 10_000},
    }


def test_points_stand_by_their_number_of_examples() -> None:
    runs = {
        "half": metrics(2000, 10, 150),
        "full": metrics(4000, 0, 100),
        "tiny": metrics(500, 1, 400),
    }
    assert gather(runs) == [
        Point("tiny", 500, 0.002, 0.04),
        Point("half", 2000, 0.005, 0.015),
        Point("full", 4000, 0.0, 0.01),
    ]


def test_equally_large_parts_keep_their_order() -> None:
    runs = {name: metrics(100, 0, 0) for name in ("second", "first", "full")}
    assert [point.name for point in gather(runs)] == ["second", "first", "full"]


def test_without_runs_there_are_no_points() -> None:
    assert gather({}) == []
