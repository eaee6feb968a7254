import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy import ndarray

from mnistpipe.confidence.calibration import (
    Answers,
    calibrate,
    read_answers,
    reliability,
    risk_coverage,
    tabulate_reliability,
    tabulate_risks,
)
from mnistpipe.scoring.significance import wilson_interval


def answers(confidence: ndarray, right: ndarray) -> Answers:
    return Answers(np.zeros(len(confidence), np.int64), confidence, right.astype(bool))


def as_sure_as_right(n: int, seed: int, *, off: float = 0.0) -> Answers:
    """Answers of which each is right as often as its confidence says, less `off`."""
    generator = np.random.default_rng(seed)
    confidence = generator.uniform(0.55, 0.99, n)
    return answers(confidence, generator.random(n) < confidence - off)


def test_answers_are_read_from_logits() -> None:
    logits = np.log(np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [1, 1e-30, 1e-30]]))
    found = read_answers(logits.astype(np.float32) + 80, np.array([0, 1, 0]))
    assert found.predicted.tolist() == [0, 2, 0]
    assert found.confidence == pytest.approx([0.7, 0.4, 1.0], abs=1e-5)
    assert found.right.tolist() == [True, False, True]


def test_the_calibration_error_of_a_case_made_by_hand() -> None:
    """Two bins: half of the answers at 0.9 are right, and all of those at 0.4."""
    toy = answers(np.array([0.9, 0.9, 0.4, 0.4]), np.array([1, 0, 1, 1]))
    found = calibrate(toy, bins=2, replicates=100, seed=0)
    assert found.error.value == pytest.approx((2 * 0.4 + 2 * 0.6) / 4)
    assert found.gap.value == pytest.approx((0.9 + 0.4) / 2 - 0.75)
    both = calibrate(toy, bins=1, replicates=100, seed=0)
    assert both.error.value == pytest.approx(0.1)  # in one bin the two make up for each other


def test_a_calibrated_toy_has_no_error() -> None:
    toy = answers(np.repeat([0.25, 0.75], 4), np.array([1, 0, 0, 0, 1, 1, 1, 0]))
    found = calibrate(toy, bins=4, replicates=100, seed=0)
    assert found.error.value == 0
    assert found.error.low == 0
    assert found.gap.value == 0


def test_the_interval_holds_the_true_error_and_tells_it_from_none() -> None:
    """One in twenty of the calibrated is above what chance does, by chance."""
    samples = [
        [
            calibrate(as_sure_as_right(2000, seed, off=off), bins=15, replicates=200, seed=0)
            for seed in range(20)
        ]
        for off in (0.0, 0.1)
    ]
    calibrated, off = ([own.error for own in each] for each in samples)
    assert sum(error.low == 0 for error in calibrated) >= 17
    assert min(error.value for error in calibrated) > 0.003
    assert all(error.low > own.by_chance for error, own in zip(off, samples[1], strict=True))
    assert sum(error.low < 0.1 < error.high for error in off) >= 17
    assert all(error.low <= error.value <= error.high for error in calibrated + off)


def test_an_overconfident_network_has_a_gap_above_zero_and_a_shy_one_below() -> None:
    sure, shy = (
        calibrate(as_sure_as_right(2000, 1, off=off), bins=15, replicates=200, seed=0).gap
        for off in (0.2, -0.2)
    )
    assert 0 < sure.low < sure.value < sure.high
    assert shy.low < shy.value < shy.high < 0


def test_the_intervals_follow_from_the_seed() -> None:
    toy = as_sure_as_right(500, 1)
    first, same, other = (calibrate(toy, 15, 100, seed) for seed in (0, 0, 1))
    assert first == same
    assert first.error.high != other.error.high
    assert first.error.value == other.error.value


def test_a_reliability_diagram_counts_the_answers_between_its_edges() -> None:
    found = reliability(
        answers(np.array([0.1, 0.5, 0.74, 0.75, 1.0, 1.0]), np.array([0, 1, 0, 1, 1, 0])), bins=4
    )
    assert found.count.tolist() == [1, 0, 2, 3]
    assert found.right.tolist() == [0, 0, 1, 2]
    assert found.confidence == pytest.approx([0.1, np.nan, 0.62, 2.75 / 3], nan_ok=True)


def test_risk_is_of_the_answers_that_a_threshold_lets_through() -> None:
    found = risk_coverage(answers(np.array([0.9, 0.6, 0.8, 0.7, 0.5]), np.array([1, 0, 0, 1, 1])))
    assert found.answers.tolist() == [1, 2, 3, 4, 5]
    assert found.errors.tolist() == [0, 1, 1, 2, 2]
    assert [found.at(share) for share in (0.2, 0.21, 0.6, 1.0)] == [(0, 1), (1, 2), (1, 3), (2, 5)]


def test_no_threshold_parts_equal_confidences() -> None:
    """Nor does the order of the images change anything."""
    confidence, right = np.array([1.0, 1.0, 1.0, 0.5]), np.array([1, 0, 1, 0])
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        found = risk_coverage(answers(confidence[order], right[order]))
        assert found.answers.tolist() == [3, 4]
        assert found.errors.tolist() == [1, 2]
        assert found.at(0.25) == (1, 3)


def test_the_tables_have_each_share_with_its_counts_and_its_interval() -> None:
    """Of 100 answers 90 are certain, one of them wrong; the others toss a coin."""
    right = np.array([True] * 89 + [False] + [True, False] * 5)
    own = answers(np.array([1.0] * 90 + [0.5] * 10), right)
    assert [*tabulate_reliability(reliability(own, bins=10)).itertuples(index=False)] == [
        (0.5, 0.5, *wilson_interval(5, 10), 5, 10),
        (1.0, 89 / 90, *wilson_interval(89, 90), 89, 90),
    ]
    # No threshold parts equal confidences.
    assert [*tabulate_risks(risk_coverage(own)).itertuples(index=False)] == [
        (0.9, 1 / 90, *wilson_interval(1, 90), 1, 90),
        (1.0, 0.06, *wilson_interval(6, 100), 6, 100),
    ]


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_the_risk_of_an_oracle_never_falls(right: list[bool]) -> None:
    """It is surest where it is right: no error stands before the last right answer."""
    wins = np.array(right)
    found = risk_coverage(answers(0.5 + 0.4 * wins + np.linspace(0, 0.05, len(wins)), wins))
    risks = found.errors / found.answers
    assert (np.diff(risks) >= 0).all()
    assert found.errors[-1] == (~wins).sum()
    assert found.at(float(wins.mean()))[0] == 0 or not wins.any()
