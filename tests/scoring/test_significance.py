import itertools
from statistics import stdev

import numpy as np
import pytest
from scipy.stats import ttest_ind

from mnistpipe.scoring.significance import (
    Difference,
    compare_counts,
    compare_predictions,
    one_more_interval,
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
    assert compare_predictions(labels, labels, labels) == Difference(0.0, 0.0, 1.0)
    assert compare_predictions(labels, labels, labels).verdict == "within noise"


def test_fishers_test_deals_the_errors_out() -> None:
    """Of eight cups four are errors; a side of four has all of them in 2 of 70 deals."""
    assert compare_counts([4], [0], 4).p_value == pytest.approx(2 / 70)
    assert compare_counts([3], [1], 4).p_value == pytest.approx((2 + 2 * 16) / 70)
    # Three errors among ten images: all on one side in 2 * C(5, 3) of C(10, 3) deals.
    assert compare_counts([0], [3], 5).p_value == pytest.approx(20 / 120)


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
        compare_counts([first], [second], 10_000),
        compare_counts([second], [first], 10_000),
    )
    assert difference.verdict == verdict
    assert reverse.p_value == pytest.approx(difference.p_value)
    opposite = {"better": "worse", "worse": "better"}
    assert reverse.verdict == opposite.get(verdict, verdict)


@pytest.mark.parametrize("errors", [0, 107, 10_000])
def test_equal_numbers_of_errors_do_not_differ(errors: int) -> None:
    difference = compare_counts([errors], [errors], 10_000)
    assert difference.p_value == pytest.approx(1)
    assert difference.verdict == "within noise"


def test_mean_numbers_of_errors_are_rounded_to_images() -> None:
    """Of three seeds and of one: 59.33 errors and 107."""
    difference = compare_counts([61, 58, 59], [107], 10_000)
    assert (difference.first_errors, difference.second_errors) == (59, 107)
    assert difference.p_value == compare_counts([59], [107], 10_000).p_value


def test_of_several_networks_images_count_by_the_share_that_gets_them_right() -> None:
    """Of two images the second side has all networks right; the first has one of two, and none."""
    labels = np.zeros(3, dtype=np.int64)
    first = np.array([[0, 1, 0], [1, 1, 0]])
    second = np.array([[0, 0, 0], [0, 0, 0]])
    difference = compare_predictions(labels, first, second)
    # The shares that get them right have grown by a half and by one.
    assert (difference.fixed, difference.broken) == (1.5, 0.0)
    # Two fair coins that are both heads, or both tails.
    assert difference.p_value == pytest.approx(0.5)
    assert compare_predictions(labels, first, first) == Difference(0.0, 0.0, 1.0, 1.0)
    mixed = compare_predictions(labels, np.array([[0, 1, 0], [1, 1, 0]]), np.array([[0, 0, 1]]))
    # Gains of 1/2 and 1 and a loss of 1: sums at least as far from 0 as the half are all.
    assert (mixed.fixed, mixed.broken) == (1.5, 1.0)
    assert mixed.p_value == pytest.approx(1)


def test_the_test_over_images_is_what_a_count_of_all_coins_says() -> None:
    rng = np.random.default_rng(0)
    labels = np.zeros(12, dtype=np.int64)
    for n_first, n_second in ((1, 1), (1, 3), (2, 3), (4, 2)):
        first, second = (rng.integers(0, 2, (rows, 12)) for rows in (n_first, n_second))
        gains = first.mean(axis=0) - second.mean(axis=0)  # ones are errors
        sums = [abs(np.dot(coins, gains)) for coins in itertools.product((-1, 1), repeat=12)]
        expected = np.mean(np.array(sums) >= abs(gains.sum()) - 1e-9)
        difference = compare_predictions(labels, first, second)
        assert difference.p_value == pytest.approx(expected)
        assert difference.fixed - difference.broken == pytest.approx(gains.sum())


def errors_at(*counts: int) -> np.ndarray:
    """A row for each network, whose first images are wrong."""
    return np.array([np.arange(200) < count for count in counts], dtype=np.int64)


def test_seeds_are_compared_by_welchs_test_if_both_sides_have_several() -> None:
    first, second = (30, 34, 38), (20, 21, 25)
    difference = compare_predictions(np.zeros(200), errors_at(*first), errors_at(*second))
    assert difference.seeds_p_value == pytest.approx(
        ttest_ind(first, second, equal_var=False).pvalue
    )
    counted = compare_counts(first, second, 200)
    assert counted.seeds_p_value == difference.seeds_p_value


def test_one_run_beside_several_is_asked_whether_it_is_one_more_of_them() -> None:
    """As the prediction interval does: its end is where the p-value is that of the interval."""
    ours = [34, 36, 38, 31, 36]
    interval = one_more_interval(ours, 10_000)
    assert interval is not None
    middle, half = 35, 2.776445 * stdev(ours) * 1.2**0.5  # Student's t with four degrees of freedom
    assert interval == pytest.approx((1 - (middle + half) / 10_000, 1 - (middle - half) / 10_000))
    for theirs, outside in ((35 + int(half), False), (36 + int(half), True)):
        beside = compare_counts([theirs], ours, 10_000).seeds_p_value
        assert beside is not None
        assert (beside < 0.05) == outside
    assert one_more_interval([34], 10_000) is None
    low, high = one_more_interval([0, 0], 10) or (0.0, 0.0)
    assert low == pytest.approx(0.55, abs=0.01)  # 12.7 * 0.289 * 1.22 of ten images
    assert high == 1.0


@pytest.mark.parametrize(
    ("first", "second", "verdict"),
    [
        ([134], [84], "better"),  # seeds are not tested
        ([130, 138], [80, 88], "better"),
        ([84, 134], [84, 86], "within noise"),  # the first's seeds differ as much
        ([36, 36], [36, 36], "within noise"),  # no spread, and no difference
        ([36, 36], [37, 37], "within noise"),  # seeds that agree by chance do not make a difference
    ],
)
def test_a_difference_is_one_if_both_tests_say_so(
    first: list[int], second: list[int], verdict: str
) -> None:
    before, after = errors_at(*first), errors_at(*second)
    difference = compare_predictions(np.zeros(200), before, after)
    assert difference.verdict == verdict
    assert (difference.seeds_p_value is None) == (len(first) == 1)
    opposite = {"better": "worse", "worse": "better"}
    reverse = compare_predictions(np.zeros(200), after, before)
    assert reverse.verdict == opposite.get(verdict, verdict)


def test_equal_recipes_are_rarely_called_different() -> None:
    """Images of all difficulties, new ones each time, and seeds that are better or worse in all."""
    rng = np.random.default_rng(0)
    n_called = 0
    for _ in range(300):
        difficulty = rng.normal(-2, 2.5, 300)
        sides = []
        for _ in range(2):
            own = difficulty + rng.normal(0, 0.5, 300) + rng.normal(0, 0.2, (3, 1))
            sides.append((rng.random((3, 300)) < 1 / (1 + np.exp(-own))).astype(np.int64))
        difference = compare_predictions(np.zeros(300, dtype=np.int64), *sides)
        n_called += difference.verdict != "within noise"
    assert n_called <= 300 * 0.05 + 8


def test_on_the_same_images_a_test_image_by_image_sees_more() -> None:
    """Thirty images fixed and ten broken, among 134 and 114 errors."""
    labels = np.zeros(10_000, dtype=np.int64)
    first, second = labels.copy(), labels.copy()
    first[:134] = 1
    second[30:144] = 1
    by_image = compare_predictions(labels, first, second)
    assert (by_image.fixed, by_image.broken, by_image.verdict) == (30, 10, "better")
    by_count = compare_counts([134], [114], 10_000)
    assert by_count.verdict == "within noise"
    assert by_count.p_value > by_image.p_value


def test_wilsons_interval_by_his_formula() -> None:
    n, right, z = 10_000, 9_870, 1.959963984540054
    p = right / n
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert wilson_interval(right, n) == pytest.approx((middle - half, middle + half))
    low, high = wilson_interval(129.5, n)  # the mean of two seeds
    assert wilson_interval(129, n)[0] < low < wilson_interval(130, n)[0]
    low, high = wilson_interval(100, 100)
    assert 0.95 < low < high == 1.0
    assert wilson_interval(0, 100)[0] == 0.0
