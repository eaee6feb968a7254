"""Gather the networks trained on parts of the data, and on all of it, into one curve."""

from dataclasses import astuple, fields
from pathlib import Path

from mnistpipe.artifacts import read_json, write_csv, write_figure, write_json
from mnistpipe.errors import UserError
from mnistpipe.figures import draw_learning_curve
from mnistpipe.learning_curve import Point, gather
from mnistpipe.params import BEST_STAGE, load_params, sweep_stages
from stages.cli import run


def main() -> None:
    """A missing point is an error: the points are those of params.yaml, not those on the disk."""
    stages = {stage.partition("@")[2]: stage for stage in sweep_stages(load_params())}
    runs = {}
    for name, stage in {**stages, "full": BEST_STAGE}.items():
        path = Path(f"metrics/{stage}.json")
        if not path.exists():
            raise UserError(
                f"{path} is missing, a point of the learning curve; add it to the deps of "
                f"learning-curve in dvc.yaml if it is not there, and run: dvc repro"
            )
        runs[name] = read_json(path, ["dataset", "examples", "train", "test"])
    datasets = {run["dataset"] for run in runs.values()}
    if len(datasets) > 1:
        raise UserError(
            f"The points of the learning curve are of different data sets "
            f"({', '.join(sorted(datasets))}); run: dvc repro"
        )
    points = gather(runs)
    dataset = datasets.pop()
    write_csv(
        Path("plots/learning-curve.csv"),
        [*(field.name for field in fields(Point)), "dataset"],
        [(*astuple(point), dataset) for point in points],
    )
    write_figure(Path("plots/learning-curve.png"), draw_learning_curve(points, dataset))
    write_json(Path("metrics/learning-curve.json"), runs)


if __name__ == "__main__":
    run(main, "learning-curve")
