"""Find the labels that the networks dispute, and whether they are as sure as they are right."""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from numpy import ndarray

from mnistpipe.confidence.calibration import (
    Answers,
    calibrate,
    read_answers,
    reliability,
    risk_coverage,
    tabulate_reliability,
    tabulate_risks,
)
from mnistpipe.confidence.figures import draw_calibration, draw_disputed
from mnistpipe.confidence.labels import (
    Disputed,
    Judgements,
    find_disputed,
    held_out,
    judge,
    tabulate,
)
from mnistpipe.confidence.params import Confidence
from mnistpipe.confidence.reviewed import REJECTED, compare_with_reviewers
from mnistpipe.data.catalogue import CATALOGUE
from mnistpipe.data.split import Labelled, Split
from mnistpipe.data.split_file import read_split
from mnistpipe.files.artifacts import write_json
from mnistpipe.files.figure_files import write_figure
from mnistpipe.files.sections import read_section
from mnistpipe.files.tables import write_table
from mnistpipe.networks.models import Classifier
from mnistpipe.scoring.scores import predict
from mnistpipe.training.engine import keep_freed_memory
from mnistpipe.training.plan import (
    BEST_STAGE,
    SWEEP,
    PartialData,
    TrainingRun,
    read_training_run,
    train_stages,
)
from mnistpipe.training.trained import read_networks

PLOTS = Path("plots/confidence")
COVERAGES = (99, 95, 90)  # per cent


@dataclass(frozen=True)
class Judged:
    """A set of images, and what the networks say of those that they were not trained on."""

    examples: Labelled
    logits: dict[str, Float[ndarray, "u c"]]
    judgements: Judgements
    disputed: Disputed

    @property
    def counts(self) -> dict[str, int]:
        """How many images there are, have judges, are disputed, and by all of their judges."""
        return {
            "images": len(self.examples),
            "judged": int((self.judgements.judges > 0).sum()),
            "disputed": len(self.disputed.indices),
            "unanimous": int((self.disputed.votes == self.disputed.judges).sum()),
        }


def main() -> None:
    """Each network is the one that its stage has saved, and judges what it was not trained on."""
    section = read_section("confidence", Confidence)
    runs = _read_runs()
    split = read_split()
    judged = _judge_all(split, runs)
    test = judged["test"]
    answers = {stage: read_answers(own, split.test.labels) for stage, own in test.logits.items()}
    best = answers[BEST_STAGE]
    calibration = {stage: _describe(own, section) for stage, own in answers.items()}
    is_mnist = split.title == CATALOGUE["mnist"].title
    reviewers = compare_with_reviewers(test.disputed, best.right) if is_mnist else None

    _write_calibration(best, section.bins, split.title)
    _write_disputed(judged, split, rejected=REJECTED if is_mnist else ())
    write_json(
        Path("metrics/confidence.json"),
        {
            "dataset": split.title,
            "bins": section.bins,
            "calibration": calibration,
            "disputed": {part: own.counts for part, own in judged.items()},
            **({"reviewers": reviewers} if reviewers else {}),
        },
    )


def _read_runs() -> dict[str, TrainingRun]:
    """What each network of the study was trained on, and how."""
    stages = train_stages(read_section(SWEEP, PartialData))
    return {stage: read_training_run(stage) for stage in stages}


def _judge_all(split: Split, runs: Mapping[str, TrainingRun]) -> dict[str, Judged]:
    """The test, validation and training images, by every network of the study."""
    unseen = {stage: held_out(split, run) for stage, run in runs.items()}
    names = {stage: run.recipe.network for stage, run in runs.items()}
    networks = read_networks(names, split, "confidence")
    keep_freed_memory()
    sets = {"test": split.test, "validation": split.validation, "train": split.train}
    return {
        part: _judge(examples, {stage: own[part] for stage, own in unseen.items()}, networks)
        for part, examples in sets.items()
    }


def _judge(
    examples: Labelled,
    unseen: Mapping[str, Bool[ndarray, " n"]],
    networks: Mapping[str, Classifier],
) -> Judged:
    """By the networks that `unseen` names, of the images that it marks."""
    logits = {
        stage: predict(networks[stage], torch.from_numpy(examples.images[own])).logits.numpy()
        for stage, own in unseen.items()
    }
    judgements = judge(examples.labels, unseen, logits)
    return Judged(examples, logits, judgements, find_disputed(judgements, examples.labels))


def _describe(answers: Answers, section: Confidence) -> dict[str, Any]:
    """How sure a network is, and how often it is right, as metrics."""
    risk = risk_coverage(answers)
    among_most_confident = {share: risk.at(share / 100) for share in COVERAGES}
    return {
        "accuracy": float(answers.right.mean()),
        "confidence": float(answers.confidence.mean()),
        **asdict(calibrate(answers, section.bins, section.bootstrap, section.seed)),
        "risk": {
            f"coverage-{share}": {"errors": errors, "count": count}
            for share, (errors, count) in among_most_confident.items()
        },
    }


def _write_calibration(answers: Answers, n_bins: int, dataset: str) -> None:
    bins, risk = reliability(answers, n_bins), risk_coverage(answers)
    write_table(PLOTS / "reliability.csv", tabulate_reliability(bins).assign(dataset=dataset))
    write_table(PLOTS / "risk-coverage.csv", tabulate_risks(risk).assign(dataset=dataset))
    write_figure("confidence/calibration", draw_calibration(bins, risk, BEST_STAGE, dataset))


def _write_disputed(judged: Mapping[str, Judged], split: Split, rejected: Collection[int]) -> None:
    """All of them as a table, and test images as a figure."""
    numbers = {
        "test": np.arange(len(split.test)),
        "validation": split.validation_indices,
        "train": split.train_indices,
    }
    tables = [
        tabulate(
            part, numbers[part], own.examples.labels, own.disputed, own.judgements, split.classes
        )
        for part, own in judged.items()
    ]
    write_table(Path("data/disputed-labels.csv"), pd.concat(tables))
    disputed, predicted = judged["test"].disputed, judged["test"].judgements.predicted
    figure = draw_disputed(split.test, disputed, predicted, split.classes, split.title, rejected)
    write_figure("confidence/disputed", figure)
