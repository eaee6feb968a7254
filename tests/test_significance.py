import numpy as np
import pytest

from mnistpipe.significance import Difference, compare_predictions, wilson_interval


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
