"""The law of the small sizes and what it predicts, and what the report says of it."""

import json
from statistics import fmean

import numpy as np
import pandas as pd
import pytest

from mnistpipe.learning_curve.dense import (
    COLUMNS,
    Dense,
    Measured,
    describe,
    fit_dense_curve,
    gather_sizes,
    pool_spread,
)
from mnistpipe.report.summary import MNIST
from tests.learning_curve.test_power_law import told
from tests.report.example import NO_SPIKE, cells_of, report_of, summary_of

pytestmark = pytest.mark.slow

SIZES = (100, 200, 400, 800, 1600, 3200, 6400, 12_750, 25_500, 51_000)
TRUTH = (4.0, 0.75, 0.003)
N_TEST = 10_000


def law(examples: float) -> float:
    scale, exponent, floor = TRUTH
    return float(scale * examples**-exponent + floor)


def measured(images: int, *errors: float) -> Measured:
    return Measured(images, images + 1, 4_000, errors, N_TEST)


def drawn(generator: np.random.Generator, spread: float, n_seeds: int = 5) -> list[Measured]:
    """Networks that obey the law, but for their seeds and one set of test images for each size."""
    sizes = []
    for images in SIZES:
        hard = generator.binomial(N_TEST, law(images + 1)) / N_TEST
        errors = (hard * generator.normal(1, spread, n_seeds)).clip(0, 1)
        sizes.append(measured(images, *errors))
    return sizes


def curve(sizes: list[Measured], n_replicates: int = 200) -> Dense:
    return fit_dense_curve(sizes, 12_750, n_replicates, 0)


@pytest.fixture(scope="module")
def lawful() -> Dense:
    return curve(drawn(np.random.default_rng(1), 0.1))


@pytest.fixture(scope="module")
def broken() -> Dense:
    """Of the largest size the error is half of what the law says."""
    *sizes, last = drawn(np.random.default_rng(1), 0.1)
    return curve([*sizes, measured(last.images, *(error / 2 for error in last.seed_errors))])


def test_a_table_of_networks_is_gathered_by_size() -> None:
    rows = [
        (images, seed, images + 1, 4_000, 0.0, 0.1, error, 500, "d")
        for images, seed, error in [(800, 1, 0.03), (100, 1, 0.2), (100, 2, 0.3)]
    ]
    assert gather_sizes(pd.DataFrame(rows, columns=COLUMNS)) == [
        Measured(100, 101, 4_000, (0.2, 0.3), 500),
        Measured(800, 801, 4_000, (0.03,), 500),
    ]
    assert gather_sizes(pd.DataFrame([], columns=COLUMNS)) == []


def test_the_spread_is_pooled_as_a_share_of_the_error() -> None:
    one, two = measured(100, 0.18, 0.22), measured(200, 0.09, 0.1, 0.11)
    assert pool_spread([two]) == pytest.approx(0.1)
    assert pool_spread([one]) == pytest.approx(2**0.5 * 0.1)
    assert pool_spread([one, two]) == pytest.approx(((0.02 + 2 * 0.01) / 3) ** 0.5)
    assert pool_spread([measured(100, 0.2), measured(200, 0.0, 0.0)]) == 0


def test_the_law_is_that_of_the_small_sizes_and_predicts_the_large(lawful: Dense) -> None:
    assert [each.measured.images for each in lawful.held_out] == [25_500, 51_000]
    assert all(each.within_interval for each in lawful.held_out)
    assert told(lawful.law).p_value > 0.05
    for each in lawful.held_out:
        assert each.predicted.low < law(each.measured.examples) < each.predicted.high


def test_what_the_large_sizes_are_measured_to_have_does_not_change_what_is_predicted(
    lawful: Dense, broken: Dense
) -> None:
    assert [each.predicted for each in broken.held_out] == [
        each.predicted for each in lawful.held_out
    ]
    assert [each.within_interval for each in broken.held_out] == [True, False]


@pytest.mark.usefixtures("unchecked_shapes")
def test_the_interval_holds_what_is_measured_about_as_often_as_it_says() -> None:
    """Of seeds that differ by a tenth; without their spread it would be too narrow."""
    generator = np.random.default_rng(0)
    within, fits = [], []
    for _ in range(40):
        dense = curve(drawn(generator, 0.1), n_replicates=100)
        within += [each.within_interval for each in dense.held_out]
        fits.append(told(dense.law).p_value >= 0.05)
    assert fmean(within) >= 0.87
    assert fmean(fits) >= 0.85


def test_more_networks_of_a_size_are_predicted_more_closely() -> None:
    sizes = drawn(np.random.default_rng(1), 0.3)[:-1]
    few = curve([*sizes, measured(51_000, 0.004)]).held_out[-1].predicted
    many = curve([*sizes, measured(51_000, *[0.004] * 50)]).held_out[-1].predicted
    assert many.high - many.low < few.high - few.low


def test_without_a_law_nothing_is_predicted() -> None:
    dense = curve([measured(images, 0.1, 0.1) for images in SIZES])
    assert (dense.law, dense.held_out) == (None, [])
    assert describe(dense)["fit"] == {"verdict": "cannot be told"}
    empty = curve([])
    assert describe(empty)["points"] == {}


def test_the_metrics_are_plain_and_complete(lawful: Dense) -> None:
    metrics = json.loads(json.dumps(describe(lawful), allow_nan=False))
    assert list(metrics["points"]) == [f"images-{images}" for images in SIZES]
    first, last = metrics["points"]["images-100"], metrics["points"]["images-51000"]
    assert "predicted" not in first
    assert first["test_error"] == pytest.approx(lawful.sizes[0].error)
    assert last["predicted"]["within_interval"] is True
    assert last["predicted"]["low"] < last["test_error"] < last["predicted"]["high"]
    assert metrics["fit"]["fits"] is True


def test_the_report_says_whether_the_law_fits_and_whether_the_others_are_within_the_interval(
    lawful: Dense, broken: Dense
) -> None:
    assert "Does the law hold beyond what it was fitted to?" not in report_of(MNIST, NO_SPIKE)
    texts = [
        report_of(MNIST, NO_SPIKE, summary_of(MNIST) | {"dense-curve": describe(dense)})
        for dense in (lawful, broken)
    ]
    for text, answer, held in zip(texts, ("yes", "**no**"), (2, 1), strict=True):
        section = text.partition("## Does the law hold beyond what it was fitted to?")[2].partition(
            "\n## "
        )[0]
        rows = [cells_of(line) for line in section.splitlines() if line.startswith("| ")][2:]
        assert [row[0] for row in rows] == [f"{images + 1:,}" for images in SIZES]
        assert [row[-1] for row in rows] == [*[""] * 8, "yes", answer]
        assert f"For **{held} of the 2** larger sizes the networks' mean error lies" in section
        assert "It **fits**" in section
        assert "their standard deviation is" in section
    untold = curve([measured(images, 0.1) for images in SIZES])
    text = report_of(MNIST, NO_SPIKE, summary_of(MNIST) | {"dense-curve": describe(untold)})
    section = text.partition("was fitted to?")[2].partition("\n## ")[0]
    assert "No law can be told: that takes four sizes" in section
    for word in ("predicted", "within", "is fitted", "larger size", "one seed"):
        assert word not in section
