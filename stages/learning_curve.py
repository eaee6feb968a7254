"""Gather the networks trained on parts of the data, and on all of it, into one curve."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from mnistpipe.files.artifacts import read_json, write_json
from mnistpipe.files.errors import UserError
from mnistpipe.files.figure_files import write_figure
from mnistpipe.files.sections import read_section
from mnistpipe.files.tables import write_table
from mnistpipe.learning_curve.figure import draw_learning_curve
from mnistpipe.learning_curve.params import LearningCurve
from mnistpipe.learning_curve.points import (
    Point,
    describe_fit,
    extrapolate,
    fit_points,
    gather,
    series_name,
)
from mnistpipe.training.plan import BEST_STAGE, SWEEP, PartialData


def main() -> None:
    """A missing point is an error: the points are those of params.yaml, not those on the disk."""
    sweep = read_section(SWEEP, PartialData)
    settings = read_section("learning-curve", LearningCurve)
    runs = _read({**sweep.stages, "full": BEST_STAGE})
    other_runs = _read(sweep.steps_stages)
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
    write_table(Path("plots/learning-curve.csv"), _tabulate(points, dataset))
    write_figure("learning-curve", draw_learning_curve(points, law, dataset))
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


def _tabulate(points: Sequence[Point], dataset: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": point.name,
            "examples": point.examples,
            "training_error": point.training_error,
            "test_error": point.test_error,
            "dataset": dataset,
            "series": point.series,
            "updates": point.updates,
            "test_error_low": point.interval[0],
            "test_error_high": point.interval[1],
        }
        for point in points
    )
