import re

import pytest

from mnistpipe.report.confidence import confidence
from mnistpipe.report.summary import MNIST
from tests.report.example import (
    DIGITS,
    NO_SPIKE,
    confidence_metrics,
    disputed_labels,
    report_of,
    row_of,
)


def section_of(report: str, heading: str) -> str:
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)^## ", report, re.DOTALL | re.MULTILINE)
    assert found
    return found[1]


def confidence_of(dataset: str) -> str:
    return section_of(report_of(dataset, NO_SPIKE), "Calibration")


def dispute(dataset: str) -> str:
    return section_of(report_of(dataset, NO_SPIKE), "Which labels are disputed?")


def test_a_network_is_called_too_sure_where_the_interval_says_so() -> None:
    calibration = confidence_of(MNIST).split("risk against coverage")[0]
    verdicts = {name: row_of(calibration, f"| {name} |")[3] for name in VERDICTS}
    assert verdicts == VERDICTS


VERDICTS = {
    "Net": "within noise",
    "Net + augmentation": "overconfident",
    "Net + augmentation, 1/2 of the data": "underconfident",
}


def test_the_calibration_error_stands_with_its_interval_and_that_of_chance() -> None:
    row = row_of(confidence_of(MNIST).split("risk against coverage")[0], "| Net + augmentation |")
    assert row[1:3] == ["99.30%", "99.65%"]
    assert row[4:] == ["1.23%", "1.01% to 1.45%", "0.42%"]


def test_the_error_of_the_most_confident_stands_beside_that_of_all() -> None:
    report = confidence_of(MNIST)
    risks = report.split("risk against coverage")[1]
    assert row_of(risks, "Net + augmentation, 1/2 of the data")[1:] == ["3.00%", "3.03%", "0.67%"]
    assert (
        "Net + augmentation is 99.65% confident on average and right on 99.30% of the test "
        "images: it is overconfident. Of its 9,000 most confident answers 7 are "
        "wrong, 0.08% (95% interval 0.04%" in report
    )


def test_the_images_with_the_least_probable_labels_stand_first() -> None:
    found = confidence(confidence_metrics(MNIST), disputed_labels())
    assert [each.image for each in found.test] == [3520, 5, 247, 947]
    assert [(each.part, each.image) for each in found.others] == [
        ("train", 12),
        ("validation", 59_000),
    ]


def test_reviewers_are_asked_of_the_test_images_alone() -> None:
    """They saw none of the others, whatever numbers these have."""
    table = disputed_labels().assign(image=947)
    found = confidence(confidence_metrics(MNIST), table)
    assert {each.reviewers for each in found.test} == {"said 9"}
    assert {each.reviewers for each in found.others} == {None}
    elsewhere = confidence(confidence_metrics(DIGITS), table)
    assert {each.reviewers for each in elsewhere.test} == {None}


def test_reviewers_stand_beside_the_images_that_they_saw() -> None:
    report = dispute(MNIST)
    said = {image: row_of(report, f"| {image} |")[-1] for image in (3520, 947, 247, 5)}
    assert said == {3520: "rejected it", 947: "said 9", 247: "kept it", 5: "were not asked"}
    assert "The networks dispute 12 of these 15, and 52 of the 85 whose label" in report


def test_reviewers_are_not_mentioned_of_another_data_set() -> None:
    """The summary has no numbers of theirs there, and the images' numbers mean others."""
    report = dispute(DIGITS)
    for word in ("reviewer", "kept it", "rejected it", "label-errors"):
        assert word not in report
    assert row_of(report, "| 947 |") == ["947", "`0`", "`Ankle boot`: 3 of 3", "0.3"]


def test_a_bar_in_a_name_does_not_part_a_cell() -> None:
    assert r"| 5 | `a\|b` | `0`: 2 of 3 | 0.02 |" in dispute(DIGITS)


@pytest.mark.parametrize("dataset", [MNIST, DIGITS])
def test_without_a_disputed_image_there_is_no_table_of_them(dataset: str) -> None:
    report = report_of(dataset, NO_SPIKE, disputed=disputed_labels().iloc[:0])
    assert "Disputed test images" not in report
    assert "Training and validation images likewise" not in report
    assert "disputed-labels.csv" not in report
    others = report_of(dataset, NO_SPIKE, disputed=disputed_labels().iloc[-2:])
    assert "in `data/disputed-labels.csv`.\n" in others
    assert "\n\n\n" not in report
