import re

import pytest

from mnistpipe.report.render import render_results
from mnistpipe.report.summary import MNIST
from tests.report.example import (
    DIGITS,
    NO_SPIKE,
    cells_of,
    report_of,
    row_of,
    run_metrics,
    score,
    score_of_seeds,
    summary_of,
)


def test_each_accuracy_has_its_interval() -> None:
    sure = report_of(MNIST, NO_SPIKE).partition("## How sure is that?")[2]
    table = sure.partition("One network is")[0]
    assert row_of(table, "| Net + augmentation |") == [
        "Net + augmentation",
        "99.30%",
        "99.12% to 99.45%",
    ]
    assert "one seed" in sure


def test_several_seeds_show_their_spread_and_the_first_is_counted() -> None:
    summary = summary_of(MNIST)
    summary["train-net-augmented"]["test"] = score_of_seeds(70, 50)
    report = report_of(MNIST, NO_SPIKE, summary)
    assert row_of(report, "`train-net-augmented`")[4] == "**99.40%** ± 0.14"
    sure = report.partition("## How sure is that?")[2]
    table = sure.partition("Two tests compare")[0]
    assert row_of(table, "| Net + augmentation |")[1:] == [
        "99.40%",
        "99.23% to 99.53%",
        "2",
        "0.14",
        "97.20% to 100.00%",  # two tell next to nothing of a third
    ]
    assert "means over the seeds" in sure
    assert "holds 9,930 of 10,000 images, exactly the test accuracy" in report


def test_another_recipes_accuracies_stand_beside_ours() -> None:
    tuned = summary_of(MNIST)
    tuned["train-net"]["test"] |= {"accuracy": 0.9951, "accuracy_sd": 0.0004}
    del tuned["partial-data"]["half"]
    table = render_results(summary_of(MNIST), tuned)
    assert row_of(table, "difference (points)")[7] == "accuracy, tuned"
    assert row_of(table, "`train-net`")[7] == "**99.51%** ± 0.04"
    assert row_of(table, "1/2 of the data")[7] == "n/a"


def test_the_best_recipe_has_its_sentences_below_the_table() -> None:
    assert "recipes/best" not in render_results(summary_of(MNIST))
    together = {"accuracy": 0.9975, "loss": 0.01, "errors": 25, "count": 10_000}
    best = {
        "examples": 51_000,
        "test": score_of_seeds(40, 42),
        "test_tta": score_of_seeds(30, 34),
        "committee": {"test": together, "test_tta": together},
    }
    fewer = best | {"examples": 3_187, "test_tta": score_of_seeds(60, 64)}
    sentences = render_results(
        summary_of(MNIST), best={"train-net-augmented": best, "partial-data@sixteenth": fewer}
    ).partition("By [recipes")[2]
    assert re.findall(r"[*\d.,]+%[*]*(?: ± [\d.]+)?|[\d,]+ images", sentences) == [
        *("99.68% ± 0.03", "99.59% ± 0.01", "99.75%"),
        *("3,187 images", "99.38% ± 0.03", "99.59% ± 0.01", "99.75%"),
    ]


def test_on_mnist_the_results_stand_beside_the_write_ups() -> None:
    table = render_results(summary_of(MNIST))
    assert row_of(table, "`train-convnet`") == [
        "ConvNet",
        "`train-convnet`",
        "51,000",
        "97.66%",
        "**98.00%**",
        "+0.34",
        "within noise, p = 0.11",
        "0.0793",
        "0.0693",
        "-0.0100",
    ]
    assert row_of(table, "`train-augmented`")[3:] == [
        "97.70%",
        "**97.60%**",
        "-0.10",
        "within noise, p = 0.67",
        "0.0804",
        "0.0904",
        "+0.0100",
    ]
    assert row_of(table, "sixteenth") == [
        "Net + augmentation, 1/16 of the data",
        "`partial-data@sixteenth`",
        "3,185",
        "65.86%",
        "**97.00%**",
        "+31.14",
        "better, p < 0.0001",
        "1.1196",
        "0.0988",
        "-1.0208",
    ]


def test_no_difference_is_a_difference_of_zero() -> None:
    row = row_of(render_results(summary_of(MNIST)), "partial-data@half")
    assert (row[5], row[6], row[9]) == ("+0.00", "within noise, p = 1", "+0.0000")


def test_on_another_data_set_nothing_is_compared() -> None:
    table = render_results(summary_of(DIGITS))
    assert row_of(table, "`train-convnet`") == [
        "ConvNet",
        "`train-convnet`",
        "51,000",
        "**98.00%**",
        "0.0693",
    ]
    assert not re.search(r"[+-]\d", table)
    assert not re.search("Fisher|write-up|n/a|97.66%", table)


def test_a_fraction_that_the_write_up_does_not_have_is_shown_without_a_difference() -> None:
    summary = summary_of(MNIST)
    summary["partial-data"]["tenth"] = summary["partial-data"]["half"]
    row = row_of(render_results(summary), "partial-data@tenth")
    assert row[0] == "Net + augmentation, tenth of the data"
    assert row[3:] == ["n/a", "**96.74%**", "n/a", "n/a", "n/a", "0.1050", "n/a"]
    first, *_ = report_of(MNIST, NO_SPIKE, summary).partition("## The question")
    assert "**3 of 6** results of the write-up" in first


def test_better_and_worse_are_told_from_noise_by_the_numbers_of_errors() -> None:
    summary = summary_of(MNIST)
    summary["train-net-augmented"]["test"] = score_of_seeds(150, 145, 155, 152)
    summary["partial-data"]["half"]["test"] = score_of_seeds(160, 320)
    table = render_results(summary)
    assert row_of(table, "`train-net`")[6] == "better, p < 0.0001"
    assert row_of(table, "`train-net-augmented`")[6] == "worse, p = 0.0082, seeds p = 0.0027"
    # Far fewer errors; but two seeds that differ so much tell nothing of others.
    assert row_of(table, "1/2 of the data")[6] == "within noise, p = 0.00028, seeds p = 0.65"
    assert "Fisher's exact test compares our number of errors" in table
    assert "below p = 0.05 we\ncall" in table


def test_the_report_names_precision_and_pytorch_or_who_has_which() -> None:
    summary = summary_of(MNIST)
    assert "\nTrained in fp32 by PyTorch 2.14.1.\n" in report_of(MNIST, NO_SPIKE, summary)
    summary["train-net"]["precision"] = "bf16"
    summary["partial-data-steps"]["sixteenth"]["precision"] = "bf16"
    assert (
        "\nTrained in fp32 by PyTorch 2.14.1 (ConvNet; ConvNet + augmentation; Net + augmentation; "
        "Net + augmentation, 1/2 of the data; Net + augmentation, 1/16 of the data) and bf16 by "
        "PyTorch 2.14.1 (Net; "
        "Net + augmentation, 1/16 of the data, other updates).\n"
    ) in report_of(MNIST, NO_SPIKE, summary)


def test_without_a_result_that_is_better_none_is_said_to_gain() -> None:
    summary = summary_of(MNIST)
    for run in [summary[name] for name in summary if name.startswith("train-")]:
        run["test"] = score(200, 10_000, 0.03)
    summary["partial-data"] = {"half": run_metrics(25_500, 326, 0.1050)}
    report = report_of(MNIST, NO_SPIKE, summary)
    assert "No result of ours is better than the write-up's by more than chance.\n" in report
    assert "gains most" not in report
    assert "gains most on the write-up: +31.14 points." in report_of(MNIST, NO_SPIKE)


def test_each_run_says_when_it_settles() -> None:
    report = report_of(MNIST, NO_SPIKE)
    settled = report.partition("## When does each run settle?")[2].partition("## ")[0]
    rows = [cells_of(line) for line in settled.splitlines() if re.search("Net.* 7 ", line)]
    assert rows == [
        ["ConvNet", "7", "around 10"],
        ["ConvNet + augmentation", "7", "around 12"],
        ["Net", "7", "n/a"],
        ["Net + augmentation", "7", "n/a"],
        ["Net + augmentation, 1/2 of the data", "7", "n/a"],
        ["Net + augmentation, 1/16 of the data", "7", "n/a"],
    ]


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
    assert "spike at epoch 3 of ConvNet + augmentation is beyond this run's end" in report
    assert "with blur: it is " not in report
