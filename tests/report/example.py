"""A study's metrics, made up, and what the tests of the report read from its tables."""

import re
from statistics import fmean, stdev
from typing import Any

import pandas as pd

from mnistpipe.learning_curve.points import TARGETS
from mnistpipe.report.confidence import DISPUTED_COLUMNS
from mnistpipe.report.render import render_report
from mnistpipe.report.summary import MNIST, summarise
from mnistpipe.scoring.significance import Difference

DIGITS = "scikit-learn digits (not MNIST)"
NO_SPIKE = [0.5, 0.4, 0.3, 0.2]
ANSWERS = {
    "convnet": Difference(fixed=30.0, broken=70.0, p_value=7.85e-05),
    "net": Difference(fixed=50.0, broken=20.0, p_value=0.000437),
}


def score(errors: int, count: int, loss: float) -> dict[str, Any]:
    own = {"accuracy": (count - errors) / count, "loss": loss, "errors": errors}
    return own | {"count": count, "by_seed": {"seed-1": own}}


def score_of_seeds(*errors: int, count: int = 10_000) -> dict[str, Any]:
    by_seed = [score(each, count, 0.03)["by_seed"]["seed-1"] for each in errors]
    return score(0, count, 0.03) | {
        "accuracy": 1 - fmean(errors) / count,
        "accuracy_sd": stdev(errors) / count,
        "errors": fmean(errors),
        "by_seed": {f"seed-{number}": own for number, own in enumerate(by_seed, start=1)},
    }


def run_metrics(examples: int, test_errors: int, test_loss: float) -> dict[str, Any]:
    """As a train stage writes them."""
    return {
        "dataset": "is said once, for all",
        "network": "net",
        "parameters": 76_970,
        "precision": "fp32",
        "pytorch": "2.14.1",
        "examples": examples,
        "steps": examples // 2,
        "images_per_epoch": examples,
        "convergence_epoch": 7,
        "train": score(examples // 100, examples, 0.0321),
        "train_split": score(2_550, 51_000, 0.2),
        "validation": score(90, 9_000, 0.0456),
        "test": score(test_errors, 10_000, test_loss),
    }


def robustness_metrics() -> dict[str, Any]:
    """As the stage writes them: with blur ConvNet gets robust, Net only half, and not turned."""

    def strengths(unit: str, steps: list[int], accuracies: list[float]) -> dict[str, float]:
        return {f"{unit}-{step}": value for step, value in zip(steps, accuracies, strict=True)}

    def run(blur: list[float], rotation: list[float]) -> dict[str, Any]:
        return {
            "blur": strengths("passes", [0, 1, 2], blur),
            "rotation": strengths("degrees", [0, 30], rotation),
        }

    def difference(fixed: int, broken: int, p_value: float) -> dict[str, Any]:
        return {
            "fixed": float(fixed),
            "broken": float(broken),
            "p_value": float(p_value),
            "seeds_p_value": None,
        }

    def differences(*blur: dict[str, Any], turned: dict[str, Any]) -> dict[str, Any]:
        return {
            "blur": {f"passes-{step}": each for step, each in enumerate(blur)},
            "rotation": {"degrees-0": blur[0], "degrees-30": turned},
        }

    none, little, much = difference(9, 8, 1), difference(40, 8, 0.000004), difference(900, 1, 0)
    return {
        "dataset": "is said once, for all",
        "accuracy": {
            "train-convnet": run([0.98, 0.96, 0.90], [0.98, 0.80]),
            "train-augmented": run([0.981, 0.975, 0.97], [0.981, 0.81]),
            "train-net": run([0.98, 0.97, 0.94], [0.98, 0.90]),
            "train-net-augmented": run([0.99, 0.98, 0.975], [0.99, 0.909]),
            "partial-data@half": run([0.97, 0.96, 0.95], [0.97, 0.85]),
        },
        "augmentation": {
            "convnet": differences(none, little, much, turned=little),
            "net": differences(little, little, much, turned=difference(50, 20, 0.0125)),
        },
    }


def confidence_metrics(dataset: str) -> dict[str, Any]:
    """As the stage writes them: one network overconfident, one underconfident, one neither."""

    def network(accuracy: float, gap: float, errors: int) -> dict[str, Any]:
        return {
            "accuracy": accuracy,
            "confidence": accuracy + gap,
            "gap": {"value": gap, "low": gap - 0.002, "high": gap + 0.002},
            "error": {"value": 0.0123, "low": 0.0101, "high": 0.0145},
            "by_chance": 0.0042,
            "risk": {
                "coverage-99": {"errors": 5 * errors, "count": 9_900},
                "coverage-90": {"errors": errors, "count": 9_000},
            },
        }

    reviewers = {
        "reviewed": 100,
        "rejected": 15,
        "relabelled": 10,
        "disputed_and_rejected": 12,
        "disputed_and_kept": 52,
        "disputed_and_relabelled_alike": 7,
        "mistakes_and_rejected": 13,
    }
    return {
        "dataset": "is said once, for all",
        "bins": 15,
        "calibration": {
            "train-net": network(0.98, 0.001, 30),
            "train-net-augmented": network(0.993, 0.0035, 7),
            "partial-data@half": network(0.97, -0.02, 60),
        },
        "disputed": {
            part: {"images": images, "judged": judged, "disputed": 23, "unanimous": 4}
            for part, images, judged in (
                ("test", 10_000, 10_000),
                ("validation", 9_000, 9_000),
                ("train", 51_000, 47_815),
            )
        },
        **({"reviewers": reviewers} if dataset == MNIST else {}),
    }


def disputed_labels() -> pd.DataFrame:
    """As the stage writes them: sets one after the other."""
    rows = [
        ("test", 947, "0", "Ankle boot", 3, 3, 0.3),
        ("test", 3520, "0", "Ankle boot", 2, 3, 0.0013),
        ("test", 5, "a|b", "0", 2, 3, 0.02),
        ("test", 247, "0", "a|b", 2, 3, 0.03),
        ("validation", 59_000, "0", "a|b", 3, 3, 0.25),
        ("train", 12, "Ankle boot", "0", 1, 1, 0.01),
    ]
    return pd.DataFrame(rows, columns=[*DISPUTED_COLUMNS])


def summary_of(dataset: str) -> dict[str, Any]:
    return summarise(
        sizes={
            "dataset": dataset,
            "train": 51_000,
            "validation": 9_000,
            "test": 10_000,
            "distinct": 50_999,
        },
        runs={
            "train-convnet": run_metrics(51_000, 200, 0.0693),
            "train-augmented": run_metrics(51_000, 240, 0.0904),
            "train-net": run_metrics(51_000, 100, 0.03),
            "train-net-augmented": run_metrics(51_000, 70, 0.025),
        },
        curve={
            "min_steps": 0,
            "other_min_steps": 11_900,
            "points": {
                "half": run_metrics(25_500, 326, 0.1050),
                "sixteenth": run_metrics(3_185, 300, 0.0987654),
                "full": run_metrics(51_000, 70, 0.025),
            },
            "other_steps": {"sixteenth": run_metrics(3_185, 200, 0.08)},
            "fit": {"verdict": "cannot be told"},
            "examples_for": {name: {"verdict": "cannot be told"} for name in TARGETS},
        },
        dense={"points": {}},
        analysis={
            "dataset": dataset,
            "network": "train-net-augmented",
            "mistakes": 70,
            "confusion_diagonal": 9_930,
            "neighbours": {"count": 8, "same_class_share": 0.98765},
            "classes": {
                f"class-{name}": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "count": 5_000}
                for name in ("0", "Ankle boot")
            },
        },
        robustness=robustness_metrics(),
        confidence=confidence_metrics(dataset),
    )


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]


def row_of(table: str, word: str) -> list[str]:
    """The cells of the one row that holds this word."""
    (line,) = [line for line in table.splitlines() if line.startswith("|") and word in line]
    return cells_of(line)


def report_of(
    dataset: str,
    blur_losses: list[float],
    summary: dict[str, Any] | None = None,
    augmentation: dict[str, Any] | None = None,
    answers: dict[str, Difference] | None = None,
    votes: dict[str, Difference] | None = None,
    disputed: pd.DataFrame | None = None,
    *,
    drawn: bool = False,
) -> str:
    """The report of the study above, or of what a test makes of it."""
    return render_report(
        summary or summary_of(dataset),
        blur_losses,
        ANSWERS | (answers or {}),
        votes or {},
        augmentation or robustness_metrics()["augmentation"],
        disputed_labels() if disputed is None else disputed,
        drawn=drawn,
    )
