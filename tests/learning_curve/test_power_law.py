from dataclasses import astuple
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from types import ModuleType

import numpy as np
import pytest
from numpy import ndarray
from scipy.optimize import differential_evolution

from mnistpipe.learning_curve.power_law import EXPONENTS, PowerLaw, fit_power_law
from mnistpipe.scoring.significance import Estimate

pytestmark = pytest.mark.slow

EXAMPLES = np.array([3187, 6375, 12_751, 25_500, 51_000])
COUNTS = np.full(5, 10_000)
NO_SPREAD = np.zeros(5)


def unchecked(name: str) -> ModuleType:
    """A module of ours without the tests' checks of shapes at each call, which take their time."""
    found = find_spec(name)
    assert found is not None
    assert found.origin is not None
    spec = spec_from_file_location(f"unchecked.{name}", found.origin)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


UNCHECKED = unchecked("mnistpipe.learning_curve.power_law")


def shares(scale: float, exponent: float, floor: float) -> ndarray:
    return scale * EXAMPLES**-exponent + floor


def fit(
    errors: ndarray, spread: ndarray = NO_SPREAD, n_replicates: int = 40, seed: int = 0
) -> PowerLaw | None:
    """Of forty replicates the smallest and the largest are 95 % of what may come next apart."""
    places = slice(0, len(errors))
    return fit_power_law(
        EXAMPLES[places], errors.astype(float), COUNTS[places], spread[places], n_replicates, seed
    )


def told(law: PowerLaw | None) -> PowerLaw:
    assert law is not None
    return law


def inside(estimate: Estimate, truth: float) -> bool:
    return estimate.low <= truth <= estimate.high


@pytest.mark.parametrize(
    ("scale", "exponent", "floor"),
    [(64.3, 0.829, 0.0037), (5.0, 0.5, 0.002), (800.0, 1.2, 0.01), (20.0, 0.7, 0.0)],
)
def test_points_on_a_law_give_it_back(scale: float, exponent: float, floor: float) -> None:
    law = told(fit(COUNTS * shares(scale, exponent, floor)))
    assert law.exponent.value == pytest.approx(exponent, abs=1e-4)
    assert law.scale.value == pytest.approx(scale, rel=2e-3)
    assert law.floor.value == pytest.approx(floor, abs=1e-6)
    assert law.p_value > 0.99


def test_the_fit_is_the_maximum_of_the_likelihood() -> None:
    """A search of the whole space finds no better parameters."""
    errors = np.array([831, 495, 289, 173, 120])
    law = told(fit(errors))

    def minus_log_likelihood(parameters: ndarray) -> float:
        log_scale, exponent, floor = parameters
        error = np.exp(log_scale) * (EXAMPLES / 12_751) ** -exponent + floor
        error = error.clip(max=1 - 1e-9)
        return -float((errors * np.log(error) + (COUNTS - errors) * np.log1p(-error)).sum())

    found = differential_evolution(
        minus_log_likelihood, [(-10, -1), EXPONENTS, (0, 0.1)], rng=0, tol=1e-10
    )
    ours = [
        np.log(law.scale.value) - law.exponent.value * np.log(12_751),
        law.exponent.value,
        law.floor.value,
    ]
    assert minus_log_likelihood(np.array(ours)) <= found.fun + 1e-5
    assert law.exponent.value == pytest.approx(found.x[1], abs=1e-3)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = (64.3, 0.829, 0.0037)
    generator = np.random.default_rng(0)
    covered = []
    for errors in generator.binomial(COUNTS, shares(*truth), (60, 5)):
        law = UNCHECKED.fit_power_law(EXAMPLES, errors.astype(float), COUNTS, NO_SPREAD, 40, 0)
        estimates = (law.scale, law.exponent, law.floor)
        covered.append([*map(inside, estimates, truth)])
    assert (np.mean(covered, axis=0) >= 0.87).all()  # three standard errors below 0.95
    widths = told(fit(COUNTS * shares(*truth), n_replicates=200)).exponent
    assert 0.1 < widths.high - widths.low < 0.5


def test_the_spread_between_seeds_widens_the_intervals() -> None:
    errors = COUNTS * shares(64.3, 0.829, 0.0037)
    without, with_spread = (
        told(fit(errors, spread, n_replicates=200))
        for spread in (NO_SPREAD, 0.15 * errors / COUNTS)
    )
    width, wider = (law.exponent.high - law.exponent.low for law in (without, with_spread))
    assert wider > 1.3 * width
    assert without.exponent.value == pytest.approx(with_spread.exponent.value, abs=1e-4)


def test_a_point_whose_seeds_differ_has_less_of_a_say() -> None:
    errors = COUNTS * shares(64.3, 0.829, 0.0037)
    errors[0] *= 1.5
    far, near = (
        told(fit(errors, np.array([spread, 0, 0, 0, 0]))).error(3187.0).value
        for spread in (0.0, 0.1)
    )
    assert near < far < errors[0] / 10_000
    assert near == pytest.approx(errors[0] / 15_000, rel=0.05)


def test_a_measurement_varies_by_the_law_by_other_seeds_and_by_the_test_images() -> None:
    truth = np.array([64.3, 0.829, 0.0037])
    law = PowerLaw(truth, np.tile(truth, (4000, 1)), 1.0)
    error = law.error(51_000.0).value
    chance = (error * (1 - error) / 10_000) ** 0.5
    for spread in (0.0, 0.3):
        measured = law.measurement(51_000.0, 10_000, spread, 0)
        sd = (chance**2 + (spread * error) ** 2) ** 0.5
        assert measured.value == error
        assert measured.high - measured.low == pytest.approx(2 * 1.96 * sd, rel=0.08)
    wide = told(fit(COUNTS * shares(*truth)))
    measured, sure = wide.measurement(200_000.0, 10_000, 0.0, 0), wide.error(200_000.0)
    assert measured.low < sure.low < sure.high < measured.high


def test_the_same_seed_gives_the_same_replicates() -> None:
    errors = COUNTS * shares(64.3, 0.829, 0.0037)
    one, same, other = (told(fit(errors, seed=seed)) for seed in (1, 1, 2))
    assert np.array_equal(one.replicates, same.replicates)
    assert not np.array_equal(one.replicates, other.replicates)


def test_the_error_of_the_law_has_its_interval() -> None:
    law = PowerLaw(
        np.array([10.0, 0.5, 0.01]), np.array([[10.0, 0.5, 0.0], [10.0, 0.5, 0.02]]), 1.0
    )
    assert astuple(law.error(10_000.0)) == pytest.approx((0.11, 0.1, 0.12))


def test_the_examples_for_an_error_solve_the_law() -> None:
    law = told(fit(COUNTS * shares(64.3, 0.829, 0.0037)))
    needed = law.examples_for(0.02)
    assert law.error(needed.value).value == pytest.approx(0.02)
    assert needed.low < needed.value < needed.high < 51_000


def test_an_error_below_the_floor_takes_infinitely_many_examples() -> None:
    replicates = np.array([[64.3, 0.829, floor] for floor in (0.0, 0.001, 0.002, 0.01)])
    law = PowerLaw(np.array([64.3, 0.829, 0.0037]), replicates, 1.0)
    assert law.examples_for(0.003).value == np.inf
    assert law.examples_for(0.003).high == np.inf
    assert law.examples_for(0.003).low == pytest.approx((64.3 / 0.003) ** (1 / 0.829))
    assert law.examples_for(0.02).high < np.inf


def test_points_that_are_no_law_speak_against_it() -> None:
    assert told(fit(np.array([900, 300, 250, 240, 60]))).p_value < 0.01


@pytest.mark.parametrize(
    "errors",
    [
        [831, 495, 289],
        [831, 495, 289, 0, 0],
        [0, 0, 0, 0, 0],
        [100, 200, 300, 400, 500],
        [200, 200, 200, 200, 200],
        [9000, 9, 9, 9, 9],
        [10_000, 10_000, 10_000, 10_000, 10_000],
    ],
    ids=["few points", "few mistakes", "none", "rising", "flat", "one step", "all"],
)
def test_what_tells_no_law_is_not_told(errors: list[int]) -> None:
    assert fit(np.array(errors)) is None


def test_one_number_of_examples_twice_is_one_point() -> None:
    examples = np.array([100, 100, 200, 400])
    errors, counts = np.array([90.0, 80.0, 50.0, 20.0]), np.full(4, 1000)
    assert fit_power_law(examples, errors, counts, np.zeros(4), 100, 0) is None


@pytest.mark.parametrize("errors", [[831, 495, 289, 173, 0], [40, 9, 3, 1, 0], [5, 4, 2, 1, 1]])
def test_few_mistakes_end_in_a_law_or_in_none(errors: list[int]) -> None:
    law = fit(np.array(errors))
    assert law is None or np.isfinite(law.replicates).all()


def test_points_where_nothing_was_found_are_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mnistpipe.learning_curve.power_law._PRECISE", {"maxiter": 1})
    assert fit(np.array([831, 495, 289, 173, 120])) is None
