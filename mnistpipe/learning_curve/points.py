"""The error against the number of training examples, how sure it is, and how far it leads."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from mnistpipe.learning_curve.power_law import PowerLaw, fit_power_law
from mnistpipe.scoring.significance import wilson_interval

# How many examples would do for this test error? By the names of the answers in the metrics.
TARGETS = {
    "error-five-per-mille": 0.005,
    "error-three-per-mille": 0.003,
    "error-two-per-mille": 0.002,
}
FARTHEST = 100 * 60_000  # beyond a hundred times all of MNIST no law is trusted
UNTOLD = "cannot be told"


@dataclass(frozen=True)
class Point:
    """The networks of one number of training examples; shares and counts are means over seeds.

    Attributes:
        name: of the fraction in params.yaml, or `full`.
        series: what the points of a series have in common, from `series_name`.
        examples: how many images each was trained on.
        updates: how many steps of the optimiser that took.
        training_error: share of those images that it classifies wrongly.
        test_error: share of the test images that it classifies wrongly.
        test_images: how many these are.
        seed_errors: the test error of each seed.
        seed_sd: standard deviation of the test error over seeds, where there are several.

    """

    name: str
    series: str
    examples: int
    updates: int
    training_error: float
    test_error: float
    test_images: int
    seed_errors: tuple[float, ...]
    seed_sd: float | None

    @property
    def errors(self) -> list[int]:
        """How many test images each seed's network classifies wrongly."""
        return [round(error * self.test_images) for error in self.seed_errors]

    @property
    def interval(self) -> tuple[float, float]:
        """What the number of test images leaves open: Wilson's 95 % interval of the test error."""
        return wilson_interval(self.test_error * self.test_images, self.test_images)


def series_name(min_steps: int) -> str:
    """Of the runs whose recipe asks for that number of updates; without one, its epochs say."""
    return f"at least {min_steps:,} updates" if min_steps else "the recipe's epochs"


def gather(
    runs: Mapping[str, Mapping[str, Any]],
    other_runs: Mapping[str, Mapping[str, Any]],
    *,
    min_steps: int,
    other_min_steps: int,
) -> list[Point]:
    """The points of both series, in each of them fewest examples first.

    Args:
        runs: metrics of partial-data by the name of the fraction, and of the full data.
        other_runs: metrics of partial-data-steps.
        min_steps: of partial-data's recipe.
        other_min_steps: of partial-data-steps. Where that is more, a part of the data that
            takes as many updates anyhow stands in both series.

    """
    if other_min_steps > min_steps:
        enough = {
            name: run
            for name, run in runs.items()
            if name != "full" and run["steps"] >= other_min_steps
        }
        other_runs = enough | dict(other_runs)
    return _series(runs, series_name(min_steps)) + _series(other_runs, series_name(other_min_steps))


def fit_points(points: Sequence[Point], n_replicates: int, seed: int) -> PowerLaw | None:
    """A power law through the points of one series, if they tell one."""
    return fit_power_law(
        np.array([point.examples for point in points]),
        np.array([point.test_error * point.test_images for point in points]),
        np.array([point.test_images for point in points]),
        np.array([(point.seed_sd or 0.0) / len(point.seed_errors) ** 0.5 for point in points]),
        n_replicates,
        seed,
    )


def describe_fit(law: PowerLaw | None) -> dict[str, Any]:
    """The law as metrics."""
    if law is None:
        return {"verdict": UNTOLD}
    return {
        "scale": asdict(law.scale),
        "exponent": asdict(law.exponent),
        "floor": asdict(law.floor),
        "p_value": law.p_value,
    }


def extrapolate(law: PowerLaw | None) -> dict[str, dict[str, Any]]:
    """How many examples each of `TARGETS` takes by the law, as metrics.

    It cannot be told where the 95 % interval ends beyond `FARTHEST`, or nowhere: where more than
    2.5 % of the replicates have a floor above the target. What is left then is its lower end.
    """
    answers: dict[str, dict[str, Any]] = {}
    for name, error in TARGETS.items():
        answers[name] = {"verdict": UNTOLD}
        if law is None:
            continue
        needed = law.examples_for(error)
        if needed.high <= FARTHEST:
            answers[name] = {key: round(number) for key, number in asdict(needed).items()}
        else:
            answers[name] |= {"at_least": round(min(needed.low, FARTHEST))}
    return answers


def _series(runs: Mapping[str, Mapping[str, Any]], series: str) -> list[Point]:
    return sorted(_points(runs, series), key=lambda point: point.examples)


def _points(runs: Mapping[str, Mapping[str, Any]], series: str) -> Iterable[Point]:
    for name, run in runs.items():
        train, test = run["train"], run["test"]
        yield Point(
            name=name,
            series=series,
            examples=run["examples"],
            updates=run["steps"],
            training_error=train["errors"] / train["count"],
            test_error=test["errors"] / test["count"],
            test_images=test["count"],
            seed_errors=tuple(seed["errors"] / test["count"] for seed in test["by_seed"].values()),
            seed_sd=test.get("accuracy_sd"),
        )
