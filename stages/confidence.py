"""Find the labels that the networks dispute, and whether they are as sure as they are right."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from jaxtyping import Bool, Float
from numpy import ndarray

from mnistpipe.confidence.calibration import (
    RiskCoverage,
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
from mnistpipe.data.split import Labelled
from mnistpipe.data.split_file import read_split
from mnistpipe.files.artifacts import write_json
from mnistpipe.files.figure_files import write_figure
from mnistpipe.files.sections import read_section
from mnistpipe.files.tables import write_table
from mnistpipe.networks.models import Classifier
from mnistpipe.scoring.scores import predict
from mnistpipe.training.engine import keep_freed_memory
from mnistpipe.training.plan import BEST_STAGE, SWEEP, PartialData, read_training_run
from mnistpipe.training.trained import name_networks, read_networks

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
    sweep = read_section(SWEEP, PartialData)
    names = name_networks([*sweep.stages.values(), *sweep.steps_stages.values()])
    runs = {stage: read_training_run(stage) for stage in names}
    split = read_split()
    dataset, classes, test = split.title, split.classes, split.test
    sets = {"test": test, "validation": split.validation, "train": split.train}
    numbers = {
        "test": np.arange(len(test)),
        "validation": split.validation_indices,
        "train": split.train_indices,
    }
    networks = read_networks(names, split, "confidence")
    keep_freed_memory()

    unseen = {stage: held_out(split, run) for stage, run in runs.items()}
    judged = {
        part: _judge(examples, {stage: own[part] for stage, own in unseen.items()}, networks)
        for part, examples in sets.items()
    }
    on_test = judged["test"]
    answers = {stage: read_answers(own, test.labels) for stage, own in on_test.logits.items()}
    best = answers[BEST_STAGE]
    bins, risk = reliability(best, section.bins), risk_coverage(best)
    calibrated = {
        stage: calibrate(own, section.bins, section.bootstrap, section.seed)
        for stage, own in answers.items()
    }
    is_mnist = dataset == CATALOGUE["mnist"].title

    table = pd.concat(
        [
            tabulate(
                part, numbers[part], own.examples.labels, own.disputed, own.judgements, classes
            )
            for part, own in judged.items()
        ]
    )
    write_table(Path("data/disputed-labels.csv"), table)
    write_table(PLOTS / "reliability.csv", tabulate_reliability(bins).assign(dataset=dataset))
    write_table(PLOTS / "risk-coverage.csv", tabulate_risks(risk).assign(dataset=dataset))
    calibration = draw_calibration(bins, risk, BEST_STAGE, dataset)
    write_figure("confidence/calibration", calibration)
    write_figure(
        "confidence/disputed",
        draw_disputed(
            test,
            on_test.disputed,
            on_test.judgements.predicted,
            classes,
            dataset,
            rejected=REJECTED if is_mnist else (),
        ),
    )
    reviewers = compare_with_reviewers(on_test.disputed, best.right) if is_mnist else None
    write_json(
        Path("metrics/confidence.json"),
        {
            "dataset": dataset,
            "bins": section.bins,
            "calibration": {
                stage: {
                    "accuracy": float(own.right.mean()),
                    "confidence": float(own.confidence.mean()),
                    **asdict(calibrated[stage]),
                    "risk": _risks(risk_coverage(own)),
                }
                for stage, own in answers.items()
            },
            "disputed": {part: own.counts for part, own in judged.items()},
            **({"reviewers": reviewers} if reviewers else {}),
        },
    )


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


def _risks(risk: RiskCoverage) -> dict[str, dict[str, int]]:
    """Errors among the most confident answers, by their share in words."""
    pairs = {share: risk.at(share / 100) for share in COVERAGES}
    return {
        f"coverage-{share}": {"errors": errors, "count": count}
        for share, (errors, count) in pairs.items()
    }
