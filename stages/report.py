"""Put all metrics into one summary, and our numbers beside the write-up's: a report, a page."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from mnistpipe.analysis.examined import EXAMINED_FILE, read_examined
from mnistpipe.analysis.params import Analyze
from mnistpipe.confidence.calibration import RELIABILITY_COLUMNS, RISK_COLUMNS
from mnistpipe.data.catalogue import is_ink
from mnistpipe.data.params import Data
from mnistpipe.data.split_file import SPLIT_FILE, read_split
from mnistpipe.files.artifacts import read_json, read_text, write_bytes, write_json
from mnistpipe.files.errors import UserError
from mnistpipe.files.figure_files import write_figure
from mnistpipe.files.sections import read_section
from mnistpipe.files.tables import read_table
from mnistpipe.networks.model_files import read_model
from mnistpipe.networks.models import Net
from mnistpipe.page.contents import Results, study_widgets
from mnistpipe.page.document import render_page
from mnistpipe.page.explore import is_drawn
from mnistpipe.page.provenance import AnySection, find_origins
from mnistpipe.report.confidence import DISPUTED_COLUMNS
from mnistpipe.report.figure import draw_losses
from mnistpipe.report.render import render_report
from mnistpipe.report.summary import (
    ANALYSIS_KEYS,
    CONFIDENCE_KEYS,
    CURVE_KEYS,
    ROBUSTNESS_KEYS,
    RUN_KEYS,
    Metrics,
    accuracies,
    summarise,
)
from mnistpipe.scoring.predictions import Classified, predictions_file, read_predictions
from mnistpipe.scoring.significance import Difference, compare_predictions
from mnistpipe.training.plan import BEST_STAGE, PAIRS, SWEEP, TRAIN_STAGES

METRICS = Path("metrics")
# The sections whose parameters stand in the page beside what was made with them.
SHOWN = (
    "prepare-split",
    *TRAIN_STAGES,
    SWEEP,
    "learning-curve",
    "dense-curve",
    "robustness",
    "analyze",
    "confidence",
)
NETWORKS = {"images": "int64", "examples": "int64", "test_error": "float64", "test_images": "int64"}
SCORES = {"stage": "str", "perturbation": "str", "strength": "int64", "test_error": "float64"}


def main() -> None:
    """The sweeps' metrics come by way of the learning curve, which knows its points."""
    section = read_section("analyze", Analyze)
    drawn = is_drawn(read_section("data", Data))
    sections = {key: read_section(key, AnySection).model_dump() for key in SHOWN}
    runs = {stage: read_json(METRICS / f"{stage}.json", RUN_KEYS) for stage in TRAIN_STAGES}
    robustness = read_json(METRICS / "robustness.json", ROBUSTNESS_KEYS)
    summary = summarise(
        sizes=read_json(METRICS / "prepare-split.json"),
        runs=runs,
        curve=read_json(METRICS / "learning-curve.json", ["points", "other_steps", *CURVE_KEYS]),
        dense=read_json(METRICS / "dense-curve.json", ["points"]),
        analysis=read_json(METRICS / "analyze.json", ANALYSIS_KEYS),
        robustness=robustness,
        confidence=read_json(METRICS / "confidence.json", CONFIDENCE_KEYS),
    )
    disputed = read_table(Path("data/disputed-labels.csv"), DISPUTED_COLUMNS)
    dtypes = {"epoch": "int64", "training_loss": "float64", "validation_loss": "float64"}
    numbers_by_stage = accuracies(summary)
    losses = {
        stage: read_table(Path(f"plots/loss/{stage}.csv"), dtypes) for stage in numbers_by_stage
    }
    predictions = {stage: read_predictions(predictions_file(stage)) for stage in TRAIN_STAGES}
    answers: dict[str, Difference] = {
        network: _compare(predictions, *pair) for network, pair in PAIRS.items()
    }
    votes = {stage: _compare_votes(table) for stage, table in predictions.items()}
    write_json(METRICS / "summary.json", summary)
    for stage, numbers in numbers_by_stage.items():
        write_json(METRICS / "accuracy" / f"{stage}.json", numbers)
    report = render_report(
        summary,
        losses["train-augmented"]["validation_loss"].tolist(),
        answers,
        {stage: vote for stage, vote in votes.items() if vote},
        robustness["augmentation"],
        disputed,
        drawn=drawn,
    )
    write_bytes(Path("REPORT.md"), report.encode())
    write_figure("losses", draw_losses(losses, summary["data"]["dataset"]))
    results = _read_results(summary, losses, disputed, section, sections, drawn=drawn)
    page = render_page(report, study_widgets(results), ink=is_ink(results.split.title))
    write_bytes(Path("report.html"), page.encode())


def _read_results(
    summary: Metrics,
    losses: Mapping[str, pd.DataFrame],
    disputed: pd.DataFrame,
    section: Analyze,
    params: Metrics,
    *,
    drawn: bool,
) -> Results:
    """What the page shows beside the numbers; `params` are of the stages that made it."""
    split = read_split()
    weights = Path(f"models/{BEST_STAGE}.safetensors")
    network = read_model(weights, "net", split.title, split.classes)
    examined = read_examined(EXAMINED_FILE)
    assert isinstance(network, Net)  # noqa: S101 (read_model has looked)
    if not np.array_equal(examined.labels, split.test.labels):
        raise UserError(
            f"{EXAMINED_FILE} is of other test images than {SPLIT_FILE}; run: dvc repro"
        )
    return Results(
        summary=summary,
        losses=losses,
        dense=read_table(Path("plots/dense-curve.csv"), NETWORKS),
        robustness=read_table(Path("plots/robustness.csv"), SCORES),
        reliability=read_table(Path("plots/confidence/reliability.csv"), RELIABILITY_COLUMNS),
        risks=read_table(Path("plots/confidence/risk-coverage.csv"), RISK_COLUMNS),
        disputed=disputed,
        split=split,
        network=network,
        examined=examined,
        sure_from=read_json(METRICS / "analyze.json", ["sure_from"])["sure_from"],
        drawn=drawn,
        analyze=section,
        # DVC lets no stage depend on dvc.yaml, of which this takes commands and descriptions.
        origins=find_origins(yaml.safe_load(read_text(Path("dvc.yaml"))), params),
    )


def _compare(predictions: Mapping[str, Classified], first: str, second: str) -> Difference:
    without, with_it = predictions[first], predictions[second]
    if not np.array_equal(without.actual, with_it.actual):
        paths = " and ".join(f"{predictions_file(stage)}" for stage in (first, second))
        raise UserError(f"{paths} are of different test images; run: dvc repro")
    return compare_predictions(without.actual, without.by_seed, with_it.by_seed)


def _compare_votes(table: Classified) -> Difference | None:
    """What the committee changes, image by image; it is one, of the same seeds as its members."""
    if table.committee is None:
        return None
    difference = compare_predictions(table.actual, table.by_seed, table.committee)
    return replace(difference, seeds_p_value=None)
