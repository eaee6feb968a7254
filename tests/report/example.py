"""A study's metrics, made up, and what the tests of the report read from its tables."""

from statistics import fmean, stdev
from typing import Any

from mnistpipe.learning_curve.points import TARGETS
from mnistpipe.report.page import write_report
from mnistpipe.report.summary import summarise
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
    )


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


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
) -> str:
    """The report of the study above, or of what a test makes of it."""
    return write_report(
        summary or summary_of(dataset),
        blur_losses,
        ANSWERS | (answers or {}),
        votes or {},
        augmentation or robustness_metrics()["augmentation"],
    )
