import re

import pytest
from jinja2 import UndefinedError

from mnistpipe.report.page import write_report, write_results
from mnistpipe.report.summary import MNIST
from tests.report.example import (
    DIGITS,
    NO_SPIKE,
    cells_of,
    report_of,
    robustness_metrics,
    row_of,
    summary_of,
)


def test_the_questions_about_views_are_answered() -> None:
    report = report_of(MNIST, NO_SPIKE)
    assert row_of(report, "help ConvNet?")[1:] == ["worse", "30 fixed, 70 broken", "7.8e-05"]
    assert row_of(report, "help Net?")[1:] == ["better", "50 fixed, 20 broken", "0.00044"]


def test_the_report_warns_of_numbers_that_are_not_mnists() -> None:
    warning = "**These are not MNIST's numbers**"
    assert warning in report_of(DIGITS, NO_SPIKE)
    assert warning not in report_of(MNIST, NO_SPIKE)


@pytest.mark.parametrize("dataset", [MNIST, DIGITS])
def test_the_report_names_the_data_set_and_its_sizes(dataset: str) -> None:
    expected = (
        f"Data set: **{dataset}**, 51,000 training, 9,000 validation and 10,000 test images\n"
    )
    expected += "of 2 classes: `0`, `Ankle boot`.\n"
    assert expected in report_of(dataset, NO_SPIKE)


def test_what_there_is_to_know_of_the_images_is_said() -> None:
    assert "Of these images" not in report_of(DIGITS, NO_SPIKE)
    summary = summary_of(DIGITS)
    summary["data"]["notes"] = "3 of 12 files are no images; and more"
    report = report_of(DIGITS, NO_SPIKE, summary)
    assert "\nOf these images: 3 of 12 files are no images; and more.\n" in report


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (MNIST, [{10}, {5}, {4}, {5}, {7}, {3}, {3}, {2}]),
        (DIGITS, [{5}, {5}, {4}, {5}, {7}, {3}, {2}]),
    ],
)
def test_every_row_of_a_table_is_as_long_as_its_header(
    dataset: str, expected: list[set[int]]
) -> None:
    report = report_of(dataset, NO_SPIKE)
    tables = re.findall(r"(?:^\|.*\n)+", report, re.MULTILINE)
    widths = [{len(cells_of(line)) for line in table.splitlines()} for table in tables]
    assert widths == expected
    lengths = [len(table.splitlines()) for table in tables]
    expected_lengths = [2 + 6, 2 + 6, 2 + 2, 2 + 5, 2 + 5, 2 + 3, 2 + 6, 2 + 9]
    assert lengths == expected_lengths[: len(expected)]


def test_what_is_true_of_mnist_alone_is_said_there_alone() -> None:
    report = report_of(DIGITS, NO_SPIKE)
    warning = next(line for line in report.splitlines() if "MNIST's numbers" in line)
    rest = report.replace(warning, "").replace(DIGITS, "")
    for word in ("write-up", "original", "MNIST", "spike", "n/a |\n"):
        assert word in report_of(MNIST, NO_SPIKE)
        assert word not in rest.replace(" | 1 | n/a |\n", "")  # one seed has no spread


@pytest.mark.parametrize("dataset", [MNIST, DIGITS])
def test_no_paragraph_has_a_hole(dataset: str) -> None:
    """Blocks of a template leave neither blank lines nor blanks behind."""
    report = report_of(dataset, NO_SPIKE)
    assert report.endswith(" |\n")
    assert "\n\n\n" not in report
    assert not [line for line in report.splitlines() if line != line.rstrip()]
    assert not re.search(r"[{}]|\bNone\b|  [a-z]", report.replace("    test error", ""))


@pytest.mark.parametrize("dataset", [MNIST, DIGITS])
def test_every_table_and_heading_stands_between_blank_lines(dataset: str) -> None:
    blocks = report_of(dataset, NO_SPIKE).rstrip("\n").split("\n\n")
    for block in blocks:
        lines = block.splitlines()
        assert len({line.startswith("|") for line in lines}) == 1, block
        assert len(lines) == 1 or not block.startswith("#"), block


def test_a_name_that_nobody_computes_is_an_error() -> None:
    summary = summary_of(MNIST)
    with pytest.raises(UndefinedError, match="'convnet'"):
        write_report(summary, NO_SPIKE, {}, robustness_metrics()["augmentation"])
    del summary["data"]["distinct"]  # which a filter takes
    with pytest.raises(UndefinedError, match="'distinct'"):
        report_of(MNIST, NO_SPIKE, summary)


def test_the_results_of_the_report_are_the_table_that_the_readme_has() -> None:
    table = write_results(summary_of(MNIST))
    assert f"## Test set\n\n{table}\n\nAccuracy is" in report_of(MNIST, NO_SPIKE)
