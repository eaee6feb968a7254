"""Gather the networks trained on parts of the data, and on all of it, into one curve."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from mnistpipe.artifacts import read_json, write_csv, write_figure, write_json
from mnistpipe.errors import UserError
from mnistpipe.figures import draw_learning_curve
from mnistpipe.learning_curve import (
    Point,
    describe_fit,
    extrapolate,
    fit_points,
    gather,
    series_name,
)
from mnistpipe.params import BEST_STAGE, load_params, steps_sweep_stages, sweep_stages
from stages.cli import run

COLUMNS = (
    "name",
    "examples",
    "training_error",
    "test_error",
    "dataset",
    "series",
    "updates",
    "test_error_low",
    "test_error_high",
)


def main() -> None:
    """A missing point is an error: the points are those of params.yaml, not those on the disk."""
    sweep, settings = load_params().partial_data, load_params().learning_curve
    runs = _read({**_by_name(sweep_stages(load_params())), "full": BEST_STAGE})
    other_runs = _read(_by_name(steps_sweep_stages(load_params())))
    datasets = {part["dataset"] for part in [*runs.values(), *other_runs.values()]}
    if len(datasets) > 1:
        raise UserError(
            f"The points of the learning curve are of different data sets "
            f"({', '.join(sorted(datasets))}); run: dvc repro"
        )
    steps = {
        "min_steps": sweep.recipe.min_steps,
        "other_min_steps": runs["half"]["steps"] if sweep.other_steps.as_half else 0,
    }
    points = gather(runs, other_runs, **steps)
    name = series_name(sweep.recipe.min_steps)
    own = [point for point in points if point.series == name]
    law = fit_points(own, settings.bootstrap, settings.seed)
    dataset = datasets.pop()
    write_csv(Path("plots/learning-curve.csv"), COLUMNS, (_row(point, dataset) for point in points))
    write_figure(Path("plots/learning-curve.png"), draw_learning_curve(points, law, dataset))
    write_json(
        Path("metrics/learning-curve.json"),
        {
            **steps,
            "points": runs,
            "other_steps": other_runs,
            "fit": describe_fit(law),
            "examples_for": extrapolate(law),
        },
    )


def _by_name(stages: Iterable[str]) -> dict[str, str]:
    """The stages of a sweep by the names of their fractions."""
    return {stage.partition("@")[2]: stage for stage in stages}


def _read(stages: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The metrics of each stage, by the name of its point."""
    runs = {}
    for name, stage in stages.items():
        path = Path(f"metrics/{stage}.json")
        if not path.exists():
            raise UserError(
                f"{path} is missing, a point of the learning curve; add it to the deps of "
                f"learning-curve in dvc.yaml if it is not there, and run: dvc repro"
            )
        runs[name] = read_json(path, ["dataset", "examples", "steps", "train", "test"])
    return runs


def _row(point: Point, dataset: str) -> tuple[object, ...]:
    return (
        point.name,
        point.examples,
        point.training_error,
        point.test_error,
        dataset,
        point.series.replace(",", ""),  # which would end the cell
        point.updates,
        *point.interval,
    )


if __name__ == "__main__":
    run(main, "learning-curve")
