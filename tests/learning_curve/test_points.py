from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mnistpipe.learning_curve.points import (
    FARTHEST,
    TARGETS,
    Point,
    describe_fit,
    extrapolate,
    fit_points,
    gather,
    series_name,
)
from mnistpipe.learning_curve.power_law import PowerLaw
from mnistpipe.scoring.significance import wilson_interval


def metrics(
    examples: int, training_errors: int, test_errors: float, steps: int = 100, **seeds: int
) -> dict[str, Any]:
    """As a train stage writes them; the keywords are each seed's test errors."""
    each = list(seeds.values())
    spread = {"accuracy_sd": float(np.std(each, ddof=1)) / 10_000} if len(each) > 1 else {}
    by_seed = {name: {"errors": errors} for name, errors in seeds.items()}
    return {
        "examples": examples,
        "steps": steps,
        "train": {"errors": training_errors, "count": examples},
        # Of all images that could have been trained on: no part of the curve.
        "train_split": {"errors": 999, "count": 51_000},
        "test": {"errors": test_errors, "count": 10_000, "by_seed": by_seed, **spread},
    }


RUNS = {
    "half": metrics(2000, 10, 150, steps=1000, one=150),
    "full": metrics(4000, 0, 100, steps=2000, one=100),
    "tiny": metrics(500, 1, 400, steps=250, one=400),
}
OTHER_RUNS = {"tiny": metrics(500, 0, 300, steps=1000, one=300)}


def names(points: list[Point]) -> list[tuple[str, str]]:
    return [(point.series, point.name) for point in points]


def test_points_stand_by_their_number_of_examples() -> None:
    points = gather(RUNS, {}, min_steps=0, other_min_steps=5000)
    assert points == [
        Point("tiny", "the recipe's epochs", 500, 250, 0.002, 0.04, 10_000, (0.04,), None),
        Point("half", "the recipe's epochs", 2000, 1000, 0.005, 0.015, 10_000, (0.015,), None),
        Point("full", "the recipe's epochs", 4000, 2000, 0.0, 0.01, 10_000, (0.01,), None),
    ]


def test_a_part_with_as_many_updates_anyhow_stands_in_both_series() -> None:
    points = gather(RUNS, OTHER_RUNS, min_steps=0, other_min_steps=1000)
    assert names(points) == [
        ("the recipe's epochs", "tiny"),
        ("the recipe's epochs", "half"),
        ("the recipe's epochs", "full"),
        ("at least 1,000 updates", "tiny"),
        ("at least 1,000 updates", "half"),
    ]
    assert points[3].test_error == 0.03
    assert points[4] == replace(points[1], series="at least 1,000 updates")


def test_one_update_fewer_is_not_enough_for_both_series() -> None:
    points = gather(RUNS, OTHER_RUNS, min_steps=0, other_min_steps=1001)
    assert names(points)[3:] == [("at least 1,001 updates", "tiny")]


def test_the_other_series_may_be_that_of_equal_epochs() -> None:
    points = gather(RUNS, OTHER_RUNS, min_steps=900, other_min_steps=0)
    assert names(points)[2:] == [("at least 900 updates", "full"), ("the recipe's epochs", "tiny")]


def test_equally_large_parts_keep_their_order() -> None:
    runs = {name: metrics(100, 0, 0) for name in ("second", "first", "full")}
    points = gather(runs, {}, min_steps=0, other_min_steps=101)
    assert [point.name for point in points] == ["second", "first", "full"]


def test_without_runs_there_are_no_points() -> None:
    assert gather({}, {}, min_steps=0, other_min_steps=1) == []


def test_series_are_named_after_what_their_points_share() -> None:
    assert series_name(0) == "the recipe's epochs"
    assert series_name(11_900) == "at least 11,900 updates"


def test_a_point_has_the_interval_of_its_test_images_and_the_spread_of_its_seeds() -> None:
    run = metrics(500, 1, 406.5, one=400, two=413)
    (point,) = gather({"tiny": run}, {}, min_steps=0, other_min_steps=101)
    assert point.interval == wilson_interval(406.5, 10_000)
    assert point.seed_errors == (0.04, 0.0413)
    assert point.seed_sd == pytest.approx(0.0013 / 2**0.5)


def curve_points(sizes: dict[int, float], seed_sd: float | None = None) -> list[Point]:
    seeds = 1 if seed_sd is None else 4
    return [
        Point(
            f"n{size}",
            "the recipe's epochs",
            size,
            100,
            0.0,
            error,
            10_000,
            (error,) * seeds,
            seed_sd,
        )
        for size, error in sizes.items()
    ]


def test_the_law_of_points_is_fitted_to_their_test_errors() -> None:
    sizes = {size: 50 * size**-0.8 + 0.002 for size in (1000, 2000, 4000, 8000, 16_000)}
    law = fit_points(curve_points(sizes), 100, 0)
    assert law is not None
    assert law.exponent.value == pytest.approx(0.8, abs=1e-4)
    assert len(law.replicates) == 100
    spread = fit_points(curve_points(sizes, seed_sd=0.02), 100, 0)
    assert spread is not None
    assert spread.exponent.high - spread.exponent.low > law.exponent.high - law.exponent.low


def law_of(*floors: float) -> PowerLaw:
    """The first floor is the fitted one, the others are replicates."""
    laws = np.array([[50.0, 0.8, floor] for floor in floors])
    return PowerLaw(laws[0], laws[1:], 0.5)


def test_the_law_is_three_estimates_in_the_metrics() -> None:
    fit = describe_fit(law_of(0.001, 0.0, 0.002))
    assert fit == {
        "scale": {"value": 50.0, "low": 50.0, "high": 50.0},
        "exponent": {"value": 0.8, "low": 0.8, "high": 0.8},
        "floor": {"value": 0.001, "low": 0.0, "high": 0.002},
        "p_value": 0.5,
    }


def test_the_examples_for_an_error_are_whole_numbers() -> None:
    answers = extrapolate(law_of(0.001, 0.0, 0.0015))
    assert list(answers) == list(TARGETS)
    assert answers["error-five-per-mille"] == {
        "value": round((50 / 0.004) ** 1.25),
        "low": round((50 / 0.005) ** 1.25),
        "high": round((50 / 0.0035) ** 1.25),
    }


def test_what_more_than_a_few_replicates_never_reach_cannot_be_told() -> None:
    law = law_of(0.001, *[0.0] * 96, *[0.0025] * 4)
    answers = extrapolate(law)
    assert "value" in answers["error-three-per-mille"]
    least = round((50 / 0.002) ** 1.25)
    assert answers["error-two-per-mille"] == {"verdict": "cannot be told", "at_least": least}


def test_a_single_replicate_that_never_gets_there_leaves_the_answer() -> None:
    law = law_of(0.001, *[0.0] * 99, 0.0025)
    assert "value" in extrapolate(law)["error-two-per-mille"]


def test_beyond_a_hundred_times_mnist_nothing_is_told() -> None:
    for examples, is_told in ((0.99 * FARTHEST, True), (1.01 * FARTHEST, False)):
        floor = TARGETS["error-two-per-mille"] - 50 * examples**-0.8
        answer = extrapolate(law_of(floor, floor, floor))["error-two-per-mille"]
        assert ("value" in answer) == is_told
    never = extrapolate(law_of(0.01, 0.01, 0.01))["error-two-per-mille"]
    assert never == {"verdict": "cannot be told", "at_least": FARTHEST}


def test_without_a_law_nothing_is_told() -> None:
    assert describe_fit(None) == {"verdict": "cannot be told"}
    assert extrapolate(None) == {name: {"verdict": "cannot be told"} for name in TARGETS}
