"""Put all metrics into one summary, and our numbers beside the write-up's."""

from pathlib import Path

import numpy as np

from mnistpipe.artifacts import read_column, read_json, write_bytes, write_json
from mnistpipe.errors import UserError
from mnistpipe.params import TRAIN_STAGES
from mnistpipe.report import (
    ANALYSIS_KEYS,
    CURVE_KEYS,
    QUESTIONS,
    ROBUSTNESS_KEYS,
    RUN_KEYS,
    summarise,
    write_report,
)
from mnistpipe.significance import Difference, compare_predictions
from stages.cli import run

METRICS = Path("metrics")


def main() -> None:
    """The sweeps' metrics come by way of the learning curve, which knows its points."""
    runs = {stage: read_json(METRICS / f"{stage}.json", RUN_KEYS) for stage in TRAIN_STAGES}
    robustness = read_json(METRICS / "robustness.json", ROBUSTNESS_KEYS)
    summary = summarise(
        sizes=read_json(METRICS / "prepare-split.json"),
        runs=runs,
        curve=read_json(METRICS / "learning-curve.json", ["points", "other_steps", *CURVE_KEYS]),
        analysis=read_json(METRICS / "analyze.json", ANALYSIS_KEYS),
        robustness=robustness,
    )
    blur_losses = read_column(Path("plots/loss/train-augmented.csv"), "validation_loss")
    answers = {question: _compare(*stages) for question, stages in QUESTIONS.items()}
    write_json(METRICS / "summary.json", summary)
    report = write_report(summary, blur_losses, answers, robustness["augmentation"])
    write_bytes(Path("REPORT.md"), report.encode())


def _compare(first: str, second: str) -> Difference:
    paths = [Path(f"plots/predictions/{stage}.csv") for stage in (first, second)]
    labels, labels_again = (np.array(read_column(path, "actual"), dtype=np.int64) for path in paths)
    predicted = [np.array(read_column(path, "predicted"), dtype=np.int64) for path in paths]
    if not np.array_equal(labels, labels_again):
        raise UserError(f"{paths[0]} and {paths[1]} are of different test images; run: dvc repro")
    return compare_predictions(labels, *predicted)


if __name__ == "__main__":
    run(main, "report")
