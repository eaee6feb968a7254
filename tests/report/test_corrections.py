import pytest

from mnistpipe.report.summary import MNIST
from tests.report.example import NO_SPIKE, report_of, row_of, summary_of


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        ("drawn with replacement", ["50,999 of 51,000"]),
        ("divided by 60,000", ["50,490 of 51,000 = 99.00%"]),
        (
            "Blur treated an image as one row",
            ["blurred in 1 pass ConvNet has 96.00%", "97.50%"],
        ),
        ("1/16 of the batches", ["3,185 distinct images", "97.00%"]),
        ("two differently shuffled passes", ["9,930 of 10,000"]),
        ("mismatched passes", ["98.77% of the nearest neighbours"]),
        ("summed over batches", ["0.0321 for Net", "0.0321 for the smallest"]),
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


def test_a_confusion_matrix_that_counts_other_images_is_told() -> None:
    summary = summary_of(MNIST)
    summary["analyze"]["confusion_diagonal"] = 9_000
    row = row_of(report_of(MNIST, NO_SPIKE, summary), "two differently shuffled passes")
    assert "holds 9,000 of 10,000 images, NOT the 9,930 of the test accuracy" in row[1]
