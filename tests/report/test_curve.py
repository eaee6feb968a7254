from collections.abc import Sequence
from typing import Any

import pytest

from mnistpipe.learning_curve.points import TARGETS
from mnistpipe.report.summary import MNIST
from tests.report import example
from tests.report.example import DIGITS, NO_SPIKE, report_of, summary_of

FIT = {
    "scale": {"value": 64.308, "low": 22.38, "high": 247.4},
    "exponent": {"value": 0.8295, "low": 0.6986, "high": 0.9972},
    "floor": {"value": 0.0036981, "low": 0.0, "high": 0.008201},
    "p_value": 0.78,
}
EPOCHS = "the recipe's epochs"
UNTOLD = {"verdict": "cannot be told"}


def run_metrics(examples: int, steps: int, *seeds: int) -> dict[str, Any]:
    """With the test errors of each seed, of 10,000."""
    errors = sum(seeds) / len(seeds)
    run = example.run_metrics(examples, 0, 0.03) | {"steps": steps}
    by_seed = {
        f"seed-{number}": {"accuracy": 1 - each / 10_000, "loss": 0.03, "errors": each}
        for number, each in enumerate(seeds)
    }
    run["test"] |= {"errors": errors, "accuracy": 1 - errors / 10_000, "by_seed": by_seed}
    if len(seeds) > 1:
        run["test"]["accuracy_sd"] = 0.00123
    return run


def curve_of(
    changes: dict[str, Any],
    *,
    dataset: str = MNIST,
    **curve: Any,  # noqa: ANN401
) -> str:
    """The report's section about the curve, of a study with these changes."""
    summary = summary_of(dataset) | changes
    summary["learning-curve"] |= curve
    report = report_of(dataset, NO_SPIKE, summary)
    return report.partition("## Learning curve\n")[2].partition("## ")[0]


def section(*, other_errors: Sequence[int] = (400,), dataset: str = MNIST, **curve: Any) -> str:  # noqa: ANN401
    changes = {
        "train-net-augmented": run_metrics(51_000, 31_880, 110, 130),
        "partial-data": {
            "half": run_metrics(25_500, 11_955, 173),
            "sixteenth": run_metrics(3187, 1500, 831),
        },
        "partial-data-steps": {"sixteenth": run_metrics(3187, 12_000, *other_errors)},
    }
    return curve_of(changes, dataset=dataset, **({"fit": FIT} | curve))


def rows(text: str, first: str) -> list[list[str]]:
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith(f"| {first}")
    ]


def test_each_point_has_examples_updates_error_spread_and_interval() -> None:
    assert rows(section(), EPOCHS) == [
        [
            "the recipe's epochs",
            "sixteenth",
            "3,187",
            "1,500",
            "8.31%",
            "7.78% to 8.87%",
            "one seed",
        ],
        [EPOCHS, "half", "25,500", "11,955", "1.73%", "1.49% to 2.00%", "one seed"],
        [EPOCHS, "full", "51,000", "31,880", "1.20%", "1.00% to 1.43%", "0.12"],
    ]
    assert [row[1:4] for row in rows(section(), "at least 11,900 updates")] == [
        ["sixteenth", "3,187", "12,000"],
        ["half", "25,500", "11,955"],
    ]


def test_the_law_is_told_with_its_intervals() -> None:
    text = section()
    assert "The points with the recipe's epochs follow" in text
    assert "    test error = 64.3 * examples^-0.83 + 0.0037\n" in text
    assert "scale 22.4 to 247, exponent 0.70 to 1.00, floor 0.0000 to 0.0082." in text
    assert "in 78% of all cases. Where a point has one seed, this leaves out" in text


def test_a_law_that_cannot_be_told_is_a_sentence_and_leads_nowhere() -> None:
    text = section(fit=UNTOLD)
    assert "The law behind the points with the recipe's epochs cannot be told" in text
    assert "test error =" not in text
    assert not rows(text, "99.")
    assert "law holds" not in text


def test_the_extrapolation_tells_numbers_lower_bounds_or_nothing() -> None:
    names = iter(TARGETS)
    answers = {
        next(names): {"value": 123_456, "low": 98_765, "high": 234_567},
        next(names): {"verdict": "cannot be told", "at_least": 262_274},
        next(names): {"verdict": "cannot be told", "at_least": 1_500_400},
    }
    text = section(examples_for=answers)
    assert rows(text, "99.") == [["99.5%", "123,000", "98,800 to 235,000"]]
    assert "for an accuracy of 99.7% and 99.8%: 262,000 and 1,500,000 examples. The" in text
    assert "lower bound" not in section(examples_for=dict.fromkeys(TARGETS, UNTOLD))


@pytest.mark.parametrize(
    ("other_errors", "says"),
    [
        ([400], "to 4.00%: better, p < 0.0001 (Fisher's exact test). 4.31 of the 8.31 points came"),
        ([820], "from 8.31% to 8.20%: within noise, p = 0.8 (Fisher's exact test). The write-up"),
        ([990], "from 8.31% to 9.90%: worse, p = 0.0001 (Fisher's exact test). The write-up"),
        ([300, 500], "to 4.00%: within noise, p < 0.0001, seeds p = 0.24 (Fisher's exact test)."),
    ],
)
def test_what_more_updates_change_is_said_of_the_fewest_examples(
    other_errors: list[int], says: str
) -> None:
    text = section(other_errors=other_errors)
    assert "With 3,187 examples (the sixteenth), 12,000 updates instead of 1,500 take" in text
    assert says in text


def test_few_updates_alone_do_not_explain_the_write_ups_error() -> None:
    assert "The write-up reports 34.14% there; as ours has 8.31% with 1,500 updates" in section()
    assert "The write-up" not in section(dataset=DIGITS)


def test_with_one_number_of_updates_there_is_nothing_to_compare() -> None:
    changes = {
        "train-net-augmented": run_metrics(200, 100, 5),
        "partial-data": {"half": run_metrics(100, 50, 7)},
        "partial-data-steps": {},
    }
    text = curve_of(changes, other_min_steps=40)
    assert "No part of the data was trained with two numbers of updates." in text
