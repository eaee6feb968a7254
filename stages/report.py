"""Put all metrics into one summary, and our numbers beside the write-up's."""

from pathlib import Path

from mnistpipe.artifacts import read_column, read_json, write_bytes, write_json
from mnistpipe.params import TRAIN_STAGES
from mnistpipe.report import RUN_KEYS, summarise, write_report
from stages.cli import run

METRICS = Path("metrics")


def main() -> None:
    """The sweep's metrics come by way of the learning curve, which knows its points."""
    runs = {stage: read_json(METRICS / f"{stage}.json", RUN_KEYS) for stage in TRAIN_STAGES}
    curve = read_json(METRICS / "learning-curve.json")
    summary = summarise(
        sizes=read_json(METRICS / "prepare-split.json"),
        runs=runs,
        sweep={name: run for name, run in curve.items() if name != "full"},
        analysis=read_json(METRICS / "analyze.json"),
    )
    blur_losses = read_column(Path("plots/loss/train-augmented.csv"), "validation_loss")
    write_json(METRICS / "summary.json", summary)
    write_bytes(Path("REPORT.md"), write_report(summary, blur_losses).encode())


if __name__ == "__main__":
    run(main)
