import numpy as np
import pytest

from mnistpipe.scoring.significance import (
    CountDifference,
    Difference,
    compare_counts,
    compare_predictions,
    wilson_interval,
)


def test_images_fixed_and_broken_are_counted() -> None:
    labels = np.array([0, 1, 2, 3, 4])
    difference = compare_predictions(labels, np.array([0, 1, 9, 9, 9]), np.array([0, 9, 2, 3, 8]))
    assert (difference.fixed, difference.broken) == (2, 1)


def test_the_p_value_is_that_of_a_fair_coin() -> None:
    labels = np.zeros(10, dtype=np.int64)
    right, wrong = np.zeros(10, dtype=np.int64), np.ones(10, dtype=np.int64)
    all_fixed = compare_predictions(labels, wrong, right)
    assert all_fixed.p_value == pytest.approx(2 / 2**10)
    assert all_fixed.verdict == "better"
    assert compare_predictions(labels, right, wrong).verdict == "worse"
    # Of four coins, all alike has probability 2 / 16, which is no evidence.
    four = compare_predictions(labels[:4], wrong[:4], right[:4])
    assert four.p_value == pytest.approx(0.125)
    assert four.verdict == "within noise"


def test_equal_predictions_do_not_differ() -> None:
    labels = np.arange(10)
    assert compare_predictions(labels, labels, labels) == Difference(0, 0, 1.0)
    assert compare_predictions(labels, labels, labels).verdict == "within noise"


def test_fishers_test_deals_the_errors_out() -> None:
    """Of eight cups four are errors; a side of four has all of them in 2 of 70 deals."""
    assert compare_counts(4, 0, 4).p_value == pytest.approx(2 / 70)
    assert compare_counts(3, 1, 4).p_value == pytest.approx((2 + 2 * 16) / 70)
    # Three errors among ten images: all on one side in 2 * C(5, 3) of C(10, 3) deals.
    assert compare_counts(0, 3, 5).p_value == pytest.approx(20 / 120)


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        (107, 121, "within noise"),
        (107, 132, "within noise"),
        (107, 150, "worse"),
        (3_414, 1_000, "better"),
        (1, 0, "within noise"),
    ],
)
def test_two_numbers_of_errors_are_compared_either_way(
    first: int, second: int, verdict: str
) -> None:
    difference, reverse = (
        compare_counts(first, second, 10_000),
        compare_counts(second, first, 10_000),
    )
    assert difference.verdict == verdict
    assert reverse.p_value == pytest.approx(difference.p_value)
    opposite = {"better": "worse", "worse": "better"}
    assert reverse.verdict == opposite.get(verdict, verdict)


@pytest.mark.parametrize("errors", [0, 107, 10_000])
def test_equal_numbers_of_errors_do_not_differ(errors: int) -> None:
    difference = compare_counts(errors, errors, 10_000)
    assert difference.p_value == pytest.approx(1)
    assert difference.verdict == "within noise"


def test_mean_numbers_of_errors_are_rounded_to_images() -> None:
    assert compare_counts(107, 120.6, 10_000) == compare_counts(107, 121, 10_000)
    difference = compare_counts(59.3, 107, 10_000)
    assert difference == CountDifference(59, 107, difference.p_value)


def test_on_the_same_images_a_test_image_by_image_sees_more() -> None:
    """Thirty images fixed and ten broken, among 134 and 114 errors."""
    labels = np.zeros(10_000, dtype=np.int64)
    first, second = labels.copy(), labels.copy()
    first[:134] = 1
    second[30:144] = 1
    by_image = compare_predictions(labels, first, second)
    assert (by_image.fixed, by_image.broken, by_image.verdict) == (30, 10, "better")
    by_count = compare_counts(134, 114, 10_000)
    assert by_count.verdict == "within noise"
    assert by_count.p_value > by_image.p_value


def test_wilsons_interval_by_his_formula() -> None:
    n, right, z = 10_000, 9_870, 1.959963984540054
    p = right / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert wilson_interval(n - right, n) == pytest.approx((middle - half, middle + half))
    low, high = wilson_interval(129.5, n)  # the mean of two seeds
    assert wilson_interval(130, n)[0] < low < wilson_interval(129, n)[0]
    low, high = wilson_interval(0, 100)
    assert 0.95 < low < high == 1.0
    assert wilson_interval(100, 100)[0] == 0.0
