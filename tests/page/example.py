"""A small study's results, made up, and its page."""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml

from mnistpipe.analysis.examined import Examined
from mnistpipe.analysis.params import Analyze
from mnistpipe.confidence.calibration import (
    read_answers,
    reliability,
    risk_coverage,
    tabulate_reliability,
    tabulate_risks,
)
from mnistpipe.data.catalogue import is_ink
from mnistpipe.data.split import Labelled, split_dataset
from mnistpipe.networks.models import Net
from mnistpipe.page.contents import Results, study_widgets
from mnistpipe.page.document import render_page
from mnistpipe.page.provenance import find_origins
from mnistpipe.report.confidence import DISPUTED_COLUMNS
from mnistpipe.report.summary import MNIST
from mnistpipe.training.plan import TRAIN_STAGES
from tests.conftest import ROOT
from tests.report.example import NO_SPIKE, report_of, summary_of

CLASSES = ("0", "Ankle boot")  # as in the example's metrics
PIPELINE: dict[str, Any] = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
PARAMS: dict[str, Any] = yaml.safe_load(
    (ROOT / "tests" / "params.yaml").read_text(encoding="utf-8")
)


def results_of(dataset: str, classes: tuple[str, ...] = CLASSES) -> Results:
    """Of a study whose last test image of each class is a mistake."""
    summary = summary_of(dataset)
    generator = np.random.default_rng(0)
    n = 20 * len(classes)
    images = generator.integers(0, 256, (n, 28, 28), dtype=np.uint8)
    labels = np.arange(n) % len(classes)
    test = Labelled(images[: n // 2], labels[: n // 2])
    answers = np.where(np.arange(n // 2) >= n // 2 - len(classes), -1, 1)
    logits = answers[:, np.newaxis] * np.eye(len(classes))[test.labels] * 4
    epochs = np.arange(1, 5)
    loss = pd.DataFrame({"epoch": epochs, "training_loss": 1 / epochs, "validation_loss": 0.5})
    features = generator.normal(size=(n // 2, 96)) + 20 * test.labels[:, np.newaxis]
    split = split_dataset(
        dataset, classes, Labelled(images, labels), test, validation_fraction=0.2, seed=0
    )
    disputed = [
        *(("test", number, "0", "Ankle boot", 2, 3, 0.1) for number in range(20)),
        ("validation", split.validation_indices[0], "0", "Ankle boot", 3, 3, 0.2),
        ("train", split.train_indices[0], "Ankle boot", "0", 1, 1, 0.3),
    ]
    confidences = read_answers(logits, test.labels)
    torch.manual_seed(0)
    return Results(
        summary=summary,
        losses=dict.fromkeys([*TRAIN_STAGES, "partial-data@half", "partial-data@sixteenth"], loss),
        dense=pd.DataFrame(),
        robustness=pd.DataFrame(
            [
                {"stage": stage, "perturbation": key, "strength": strength, "test_error": 0.1}
                for stage in summary["robustness"]
                for key, strengths in {"blur": (0, 1, 2), "rotation": (0, 30)}.items()
                for strength in strengths
            ]
        ),
        reliability=tabulate_reliability(reliability(confidences, 15)),
        risks=tabulate_risks(risk_coverage(confidences)),
        disputed=pd.DataFrame(disputed, columns=[*DISPUTED_COLUMNS]),
        split=split,
        network=Net(n_classes=len(classes)).eval(),
        examined=Examined(test.labels, logits, features, features[:, :2]),
        sure_from=0.9,
        drawn=True,
        analyze=Analyze(mistakes=25, neighbours=3, perplexity=2.0, seed=0),
        origins=find_origins(PIPELINE, PARAMS),
    )


@cache
def page_of(dataset: str = MNIST) -> str:
    """The page with all that stands in it."""
    report = report_of(dataset, NO_SPIKE, drawn=True)
    return render_page(report, study_widgets(results_of(dataset)), ink=is_ink(dataset))


def write_example(folder: Path, dataset: str = MNIST) -> Path:
    """The page as a file."""
    path = folder / "report.html"
    path.write_text(page_of(dataset), encoding="utf-8")
    return path
