"""The study's summary: what the report and its readers take of all metrics."""

from collections.abc import Mapping
from typing import Any

from mnistpipe.data.catalogue import CATALOGUE
from mnistpipe.training.plan import STEPS_SWEEP, SWEEP, TRAIN_STAGES

Metrics = Mapping[str, Any]
MNIST = CATALOGUE["mnist"].title  # the only data set whose numbers compare with the write-up's
# What the summary takes of each run's metrics.
ROBUSTNESS_KEYS = ("accuracy", "augmentation")
CONFIDENCE_KEYS = ("bins", "calibration", "disputed")
ANALYSIS_KEYS = ("confusion_diagonal", "mistakes", "neighbours", "classes")
RUN_KEYS = (
    "examples",
    "steps",
    "precision",
    "pytorch",
    "convergence_epoch",
    "train",
    "train_split",
    "test",
)
CURVE_KEYS = ("min_steps", "other_min_steps", "fit", "examples_for")


def summarise(
    sizes: Metrics,
    runs: Mapping[str, Metrics],
    curve: Metrics,
    dense: Metrics,
    analysis: Metrics,
    robustness: Metrics,
    confidence: Metrics,
) -> dict[str, Any]:
    """All metrics in one tree, nested by stage.

    Args:
        sizes: of prepare-split: the data set's title and the sizes of its parts.
        runs: of each train stage, by its name.
        curve: of learning-curve, with those of both sweeps over parts of the data.
        dense: of dense-curve; left out if no size was trained.
        analysis: of analyze.
        robustness: of robustness; of it, the accuracies.
        confidence: of confidence; reviewers are in it on MNIST alone.

    """
    return {
        "data": dict(sizes),
        **{stage: _select(run) for stage, run in runs.items()},
        SWEEP: {name: _select(run) for name, run in curve["points"].items() if name != "full"},
        STEPS_SWEEP: {name: _select(run) for name, run in curve["other_steps"].items()},
        "learning-curve": {key: curve[key] for key in CURVE_KEYS},
        **({"dense-curve": dict(dense)} if dense["points"] else {}),
        "analyze": {key: analysis[key] for key in ANALYSIS_KEYS},
        "robustness": robustness["accuracy"],
        "confidence": {key: value for key, value in confidence.items() if key != "dataset"},
    }


def accuracies(summary: Metrics) -> dict[str, dict[str, float]]:
    """By stage, what one looks at first: its network's accuracies, a row in DVC's tables."""
    runs = {stage: summary[stage] for stage in TRAIN_STAGES}
    return {
        stage: {part: run[part]["accuracy"] for part in ("validation", "test") if part in run}
        for stage, run in (runs | of_sweep(summary, SWEEP) | of_sweep(summary, STEPS_SWEEP)).items()
    }


def of_sweep(summary: Metrics, sweep: str) -> dict[str, Metrics]:
    """The runs of a sweep by their stages' names."""
    return {f"{sweep}@{name}": run for name, run in summary[sweep].items()}


def _select(run: Metrics) -> dict[str, Any]:
    """What it has: no committee of one seed, no validation where that was trained on."""
    *others, last = RUN_KEYS
    keys = (*others, "validation", last, "validation_tta", "test_tta", "committee")
    return {key: run[key] for key in keys if key in run}
