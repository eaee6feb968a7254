import re
from typing import Any

import pytest

from mnistpipe.learning_curve import TARGETS
from mnistpipe.params import TRAIN_STAGES, load_params, sweep_stages
from mnistpipe.report import MNIST, results_table, summarise, write_report
from mnistpipe.significance import Difference
from mnistpipe.writeup import REPORTED, REPORTED_CONVERGENCE, REPORTED_SPIKE_EPOCH, Reported
from tests.conftest import PARAMS_FILE

DIGITS = "scikit-learn digits (not MNIST)"
NO_SPIKE = [0.5, 0.4, 0.3, 0.2]
WRITE_UP = [
    ("ConvNet", "97.66%", 0.0793, "97.98%", 0.0607),
    ("ConvNet + blur", "97.70%", 0.0804, "97.90%", 0.0608),
    ("Net", "98.26%", 0.0570, "98.39%", 0.0454),
    ("Net + blur + rotation", "98.93%", 0.0340, "98.84%", 0.0322),
    ("1/2 of the data", "96.74%", 0.1050, "96.37%", 0.1006),
    ("1/4 of the data", "95.60%", 0.1426, "95.31%", 0.1351),
    ("1/8 of the data", "89.02%", 0.4559, "88.27%", 0.4020),
    ("1/16 of the data", "65.86%", 1.1196, "65.25%", 0.9592),
]


def score(errors: int, count: int, loss: float) -> dict[str, Any]:
    own = {"accuracy": (count - errors) / count, "loss": loss, "errors": errors}
    return own | {"count": count, "by_seed": {"seed-1": own}}


def run_metrics(examples: int, test_errors: int, test_loss: float) -> dict[str, Any]:
    """As a train stage writes them."""
    return {
        "dataset": "is said once, for all",
        "network": "net",
        "parameters": 76_970,
        "precision": "fp32",
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
        return {"fixed": fixed, "broken": broken, "p_value": float(p_value)}

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
        analysis={
            "dataset": dataset,
            "network": "train-net-augmented",
            "mistakes": 70,
            "confusion_diagonal": 9_930,
            "neighbours": {"count": 8, "same_class_share": 0.98765},
            "classes": {"class-0": {"precision": 1.0, "recall": 1.0, "f1": 1.0, "count": 980}},
        },
        robustness=robustness_metrics(),
    )


def cells_of(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def row_of(table: str, word: str) -> list[str]:
    (line,) = [line for line in table.splitlines() if line.startswith("|") and word in line]
    return cells_of(line)


def report_of(dataset: str, blur_losses: list[float], summary: dict[str, Any] | None = None) -> str:
    answers = {
        "Does blur help ConvNet?": Difference(fixed=30, broken=70, p_value=7.85e-05),
        "Do blur and rotation help Net?": Difference(fixed=50, broken=20, p_value=0.000437),
    }
    augmentation = robustness_metrics()["augmentation"]
    return write_report(summary or summary_of(dataset), blur_losses, answers, augmentation)


def test_each_accuracy_has_its_interval() -> None:
    sure = report_of(MNIST, NO_SPIKE).split("## ")[2]
    assert row_of(sure, "`train-net-augmented`") == [
        "`train-net-augmented`",
        "99.30%",
        "99.12% to 99.45%",
        "1",
        "n/a",
    ]
    assert "one seed" in sure


def test_several_seeds_show_their_spread_and_the_first_is_counted() -> None:
    summary = summary_of(MNIST)
    best = summary["train-net-augmented"]["test"]
    second = {"accuracy": 0.9950, "loss": 0.02, "errors": 50}
    best |= {"accuracy": 0.9940, "errors": 60, "accuracy_sd": 0.00141}
    best["by_seed"]["seed-2"] = second
    report = report_of(MNIST, NO_SPIKE, summary)
    assert row_of(report, "Net + blur + rotation")[4] == "**99.40%** ± 0.14"
    sure = report.split("## ")[2]
    assert row_of(sure, "`train-net-augmented`")[1:] == ["99.40%", "99.23% to 99.53%", "2", "0.14"]
    assert "means over the seeds" in sure
    assert "holds 9,930 of 10,000 images, exactly the test accuracy" in report


def test_the_questions_about_views_are_answered() -> None:
    report = report_of(MNIST, NO_SPIKE)
    assert row_of(report, "Does blur help")[1:] == ["worse", "30 fixed, 70 broken", "7.8e-05"]
    assert row_of(report, "Do blur and rot")[1:] == ["better", "50 fixed, 20 broken", "0.00044"]


def test_the_summary_is_a_tree_of_all_stages() -> None:
    summary = summary_of(MNIST)
    assert list(summary) == [
        "data",
        "train-convnet",
        "train-augmented",
        "train-net",
        "train-net-augmented",
        "partial-data",
        "partial-data-steps",
        "learning-curve",
        "analyze",
        "robustness",
    ]
    assert summary["data"]["distinct"] == 50_999
    assert list(summary["partial-data"]) == ["half", "sixteenth"]  # the full data has its stage
    assert list(summary["partial-data-steps"]) == ["sixteenth"]
    assert summary["learning-curve"] == {
        "min_steps": 0,
        "other_min_steps": 11_900,
        "fit": {"verdict": "cannot be told"},
        "examples_for": {name: {"verdict": "cannot be told"} for name in TARGETS},
    }
    assert summary["analyze"]["mistakes"] == 70
    assert summary["robustness"]["partial-data@half"]["rotation"]["degrees-30"] == 0.85
    assert summary["analyze"]["neighbours"] == {"count": 8, "same_class_share": 0.98765}


def test_the_summary_of_a_run_is_its_scores_and_what_explains_them() -> None:
    run = summary_of(MNIST)["partial-data"]["half"]
    assert list(run) == [
        "examples",
        "steps",
        "precision",
        "convergence_epoch",
        "train",
        "train_split",
        "validation",
        "test",
    ]
    assert run["test"] == score(326, 10_000, 0.1050)


def test_another_recipes_accuracies_stand_beside_ours() -> None:
    tuned = summary_of(MNIST)
    tuned["train-net"]["test"] |= {"accuracy": 0.9951, "accuracy_sd": 0.0004}
    del tuned["partial-data"]["half"]
    table = results_table(summary_of(MNIST), tuned)
    assert row_of(table, "difference (points)")[6] == "tuned"
    assert row_of(table, "`train-net`")[6] == "**99.51%** ± 0.04"
    assert row_of(table, "1/2 of the data")[6] == "n/a"


def test_on_mnist_the_results_stand_beside_the_write_ups() -> None:
    table = results_table(summary_of(MNIST))
    assert row_of(table, "`train-convnet`") == [
        "ConvNet",
        "`train-convnet`",
        "51,000",
        "97.66%",
        "**98.00%**",
        "+0.34",
        "0.0793",
        "0.0693",
        "-0.0100",
    ]
    assert row_of(table, "`train-augmented`")[3:] == [
        "97.70%",
        "**97.60%**",
        "-0.10",
        "0.0804",
        "0.0904",
        "+0.0100",
    ]
    assert row_of(table, "sixteenth") == [
        "1/16 of the data",
        "`partial-data@sixteenth`",
        "3,185",
        "65.86%",
        "**97.00%**",
        "+31.14",
        "1.1196",
        "0.0988",
        "-1.0208",
    ]


def test_no_difference_is_a_difference_of_zero() -> None:
    row = row_of(results_table(summary_of(MNIST)), "partial-data@half")
    assert (row[5], row[8]) == ("+0.00", "+0.0000")


def test_on_another_data_set_nothing_is_compared() -> None:
    table = results_table(summary_of(DIGITS))
    assert row_of(table, "`train-convnet`") == [
        "ConvNet",
        "`train-convnet`",
        "51,000",
        "n/a",
        "**98.00%**",
        "n/a",
        "n/a",
        "0.0693",
        "n/a",
    ]
    assert not re.search(r"[+-]\d", table)
    assert "97.66%" not in table


def test_a_fraction_that_the_write_up_does_not_have_is_shown_without_a_difference() -> None:
    summary = summary_of(MNIST)
    summary["partial-data"]["tenth"] = summary["partial-data"]["half"]
    row = row_of(results_table(summary), "partial-data@tenth")
    assert row[0] == "partial-data@tenth"
    assert row[3:] == ["n/a", "**96.74%**", "n/a", "n/a", "0.1050", "n/a"]


def test_the_report_warns_of_numbers_that_are_not_mnists() -> None:
    warning = "**These are not MNIST's numbers**"
    assert warning in report_of(DIGITS, NO_SPIKE)
    assert warning not in report_of(MNIST, NO_SPIKE)


@pytest.mark.parametrize("dataset", [MNIST, DIGITS])
def test_the_report_names_the_data_set_and_its_sizes(dataset: str) -> None:
    expected = f"Data set: **{dataset}**, 51,000 training, 9,000 validation and 10,000 test images."
    assert expected in report_of(dataset, NO_SPIKE)


def test_all_runs_stand_side_by_side_on_perturbed_images() -> None:
    section = report_of(MNIST, NO_SPIKE).partition("## Was the augmentation good")[2]
    table = section.partition("## ")[0]
    assert row_of(table, "untouched") == [
        "stage",
        "untouched",
        "blurred in 1 pass",
        "blurred in 2 passes",
        "turned by 30°",
    ]
    rows = [cells_of(line) for line in table.splitlines() if line.startswith("| `")]
    assert rows == [
        ["`train-convnet`", "98.00%", "96.00%", "90.00%", "80.00%"],
        ["`train-augmented`", "98.10%", "97.50%", "97.00%", "81.00%"],
        ["`train-net`", "98.00%", "97.00%", "94.00%", "90.00%"],
        ["`train-net-augmented`", "99.00%", "98.00%", "97.50%", "90.90%"],
        ["`partial-data@half`", "97.00%", "96.00%", "95.00%", "85.00%"],
    ]


def test_robust_is_better_on_the_same_images_by_more_than_on_untouched_ones() -> None:
    """Net with blur in 1 pass, or turned, gains no more than the 32 images that it does anyway."""
    report = report_of(MNIST, NO_SPIKE)
    assert (
        "- Do the views of `train-augmented` make ConvNet robust to blur? **Yes.** On images "
        "blurred in 2 passes, `train-convnet` from 98.00% to 90.00% and `train-augmented` from "
        "98.10% to 97.00%: 900 images fixed and 1 broken, p < 0.0001.\n"
        "- Do those of `train-net-augmented` make Net robust to blur? **Only when blurred in 2 "
        "passes.** On"
    ) in report
    assert (
        "- And to rotation? **No.** On images turned by 30°, `train-net` "
        "from 98.00% to 90.00% and `train-net-augmented` from 99.00% to 90.90%: 50 images fixed "
        "and 20 broken, p = 0.013."
    ) in report


def test_better_within_noise_is_not_robust() -> None:
    augmentation = robustness_metrics()["augmentation"]
    augmentation["convnet"]["blur"]["passes-1"]["p_value"] = 0.05
    report = write_report(summary_of(MNIST), NO_SPIKE, {}, augmentation)
    assert "robust to blur? **Only when blurred in 2 passes.** On images blurred in 2" in report
    augmentation["convnet"]["blur"]["passes-2"]["p_value"] = 0.05
    report = write_report(summary_of(MNIST), NO_SPIKE, {}, augmentation)
    assert "ConvNet robust to blur? **No.**" in report


@pytest.mark.parametrize(
    ("losses", "verdict"),
    [
        ([0.5, 0.4, 0.45, 0.3], "it is there."),
        ([0.5, 0.4, 0.3, 0.2], "it is not there."),
        ([0.5, 0.2, 0.3, 0.4], "it is not there."),  # rises, and goes on rising
        ([0.5, 0.4, 0.4, 0.3], "it is not there."),
    ],
)
def test_the_spike_is_looked_for_at_its_epoch(losses: list[float], verdict: str) -> None:
    report = report_of(MNIST, losses)
    before, at, after = (f"{loss:.4f}" for loss in losses[1:])
    assert f"The write-up saw a spike at epoch 3 with blur: {verdict}" in report
    assert f"is {before}, {at} and {after} after epochs 2, 3 and 4." in report


@pytest.mark.parametrize("n_epochs", [1, 3])
def test_a_short_run_has_no_verdict_about_the_spike(n_epochs: int) -> None:
    report = report_of(MNIST, [0.5, 0.4, 0.45][:n_epochs])
    assert "spike at epoch 3 of `train-augmented` is beyond this run's end" in report
    assert "it is " not in report


def test_each_run_says_when_it_settles() -> None:
    report = report_of(MNIST, NO_SPIKE)
    settled = report.partition("## When does each run settle?")[2].partition("## ")[0]
    rows = [cells_of(line) for line in settled.splitlines() if line.startswith("| `")]
    assert rows == [
        ["`train-convnet`", "7", "around 10"],
        ["`train-augmented`", "7", "around 12"],
        ["`train-net`", "7", "n/a"],
        ["`train-net-augmented`", "7", "n/a"],
        ["`partial-data@half`", "7", "n/a"],
        ["`partial-data@sixteenth`", "7", "n/a"],
    ]


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        ("drawn with replacement", ["50,999 of 51,000"]),
        ("divided by 60,000", ["50,490 of 51,000 = 99.00%"]),
        (
            "Blur treated an image as one row",
            ["blurred in 1 pass `train-convnet` has 96.00%", "97.50%"],
        ),
        ("1/16 of the batches", ["3,185 distinct images", "97.00%"]),
        ("two differently shuffled passes", ["9,930 of 10,000"]),
        ("mismatched passes", ["98.77% of the nearest neighbours"]),
        ("summed over batches", ["0.0321 for `train-net`", "0.0321 for the smallest"]),
        (
            "Curves called “test”",
            ["validation 8,910 of 9,000 = 99.00%", "9,900 of 10,000 = 99.00%"],
        ),
        (
            "scored on all training images",
            ["99.03% of its own 3,185 images", "95.00% of the whole"],
        ),
    ],
)
def test_each_of_the_write_ups_errors_has_our_number(error: str, ours: list[str]) -> None:
    corrections = report_of(MNIST, NO_SPIKE).partition("## What the original got wrong")[2]
    row = row_of(corrections, error)
    assert len(row) == 2
    for number in ours:
        assert number in row[1]


@pytest.mark.parametrize("dataset", [MNIST, DIGITS])
def test_every_row_of_a_table_is_as_long_as_its_header(dataset: str) -> None:
    report = report_of(dataset, NO_SPIKE)
    tables = re.findall(r"(?:^\|.*\n)+", report, re.MULTILINE)
    widths = [{len(cells_of(line)) for line in table.splitlines()} for table in tables]
    assert widths == [{9}, {5}, {4}, {5}, {7}, {3}, {3}, {2}]
    lengths = [len(table.splitlines()) for table in tables]
    assert lengths == [2 + 6, 2 + 6, 2 + 2, 2 + 5, 2 + 5, 2 + 3, 2 + 6, 2 + 9]


@pytest.mark.parametrize(("reported", "expected"), [*zip(REPORTED.values(), WRITE_UP, strict=True)])
def test_the_write_ups_numbers_are_its_tables(
    reported: Reported, expected: tuple[str, str, float, str, float]
) -> None:
    assert (
        reported.run,
        f"{reported.accuracy:.2%}",
        reported.loss,
        f"{reported.train_accuracy:.2%}",
        reported.train_loss,
    ) == expected


def test_the_write_ups_runs_are_stages_of_ours() -> None:
    assert list(REPORTED) == [*TRAIN_STAGES, *sweep_stages(load_params(PARAMS_FILE))]
    assert set(REPORTED_CONVERGENCE) <= set(REPORTED)
    assert REPORTED_SPIKE_EPOCH == 3
