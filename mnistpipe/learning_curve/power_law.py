"""A power law with a floor, fitted to a learning curve, and how sure it is."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from numpy import ndarray
from scipy.optimize import minimize
from scipy.special import xlogy

from mnistpipe.scoring.significance import ENDS, Estimate

MIN_POINTS = 4  # one more than the law has parameters
# A larger exponent than the largest is no learning curve but one steep step.
EXPONENTS = (0.01, 4.0)
_START = (-1.0, 1.0, 0.2)  # log of the scale, exponent and floor, in the units of `_fit`
_PRECISE = {"ftol": 1e-13, "gtol": 1e-8}
_OUT_OF_STEPS = 1  # the optimiser's status
_TINY = 1e-9


@dataclass(frozen=True)
class PowerLaw:
    """The share of images misclassified: scale * examples ** -exponent + floor.

    Attributes:
        fitted: scale, exponent and floor.
        replicates: the same, fitted to each replicate of the bootstrap.
        p_value: how many of the replicates, which obey the law, lie at least as far off their
            own fit as the points do off theirs: a small share speaks against the law.

    """

    fitted: Float[ndarray, "3"]
    replicates: Float[ndarray, "r 3"]
    p_value: float

    @property
    def scale(self) -> Estimate:
        """What the error above the floor would be with one example, by the law."""
        return _estimate(self.fitted[0], self.replicates[:, 0])

    @property
    def exponent(self) -> Estimate:
        """Twice the examples divide the error above the floor by 2 ** exponent."""
        return _estimate(self.fitted[1], self.replicates[:, 1])

    @property
    def floor(self) -> Estimate:
        """The error that no number of examples takes away, by the law."""
        return _estimate(self.fitted[2], self.replicates[:, 2])

    def error(self, examples: float) -> Estimate:
        """The error with that many examples."""
        return _estimate(
            *(_error(parameters, examples) for parameters in (self.fitted, self.replicates.T))
        )

    def measurement(self, examples: float, count: int, seed_spread: float, seed: int) -> Estimate:
        """What networks of that many examples will be measured to have, and what they may have.

        Unlike the interval of `error`, this one holds what another test set and other seeds change.

        Args:
            examples: that they are trained on.
            count: of test images.
            seed_spread: standard error of their mean between seeds, as a share of it.
            seed: of what is drawn: a measurement for each of the replicates.

        """
        generator = np.random.default_rng(seed)
        errors = _error(self.replicates.T, examples).clip(0, 1)
        errors = generator.normal(errors, seed_spread * errors).clip(0, 1)
        measured = generator.binomial(count, errors) / count
        return _estimate(_error(self.fitted, examples), measured)

    def examples_for(self, error: float) -> Estimate:
        """How many examples bring the error down to this one; infinite where the floor is above.

        The interval's high end is infinite where more than 2.5 % of the replicates never do.
        """
        return _estimate(
            *(_examples(parameters, error) for parameters in (self.fitted, self.replicates.T))
        )


def fit_power_law(
    examples: Int[ndarray, " p"],
    errors: Float[ndarray, " p"],
    counts: Int[ndarray, " p"],
    seed_spread: Float[ndarray, " p"],
    n_replicates: int,
    seed: int,
) -> PowerLaw | None:
    """Fit the law by maximum likelihood, and once more to each replicate of a bootstrap.

    The number of misclassified images is taken as binomial. Least squares on the logarithm would
    weigh a point with ten mistakes like one with a thousand, and has no place for none at all. A
    point whose seeds differ weighs as much as fewer test images would, so many that chance alone
    spreads their errors as widely (quasi-likelihood: McCullagh and Nelder, Generalized Linear
    Models, 1989, chapter 4).

    A replicate (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 6) draws
    each point's errors from the fitted law: normally as other seeds would change their mean, then
    binomially as another test set would. Each point is drawn by itself, though all are scored on
    the same images: that may make the intervals too wide for the curve's shape and too narrow for
    its height. Where seed_spread is 0, they say nothing about other seeds.

    Args:
        examples: that each point's networks were trained on.
        errors: misclassified test images, the mean over seeds.
        counts: of test images.
        seed_spread: standard error of errors / counts between seeds; 0 where it is not known.
        n_replicates: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        None where the points cannot tell a law: where fewer than four numbers of examples have
        both mistakes and right answers, and where the fit or more than 2.5 % of the replicates
        find no curve that falls with an exponent inside EXPONENTS. A smaller share of such
        replicates is left out.

    """
    if len(np.unique(examples[(errors > 0) & (errors < counts)])) < MIN_POINTS:
        return None
    variance = (errors / counts * (1 - errors / counts)).clip(_TINY) / counts
    weights = counts / (1 + seed_spread**2 / variance)
    fitted, deviance = _fit(examples, errors / counts, weights)
    if not _falls(fitted):
        return None
    generator = np.random.default_rng(seed)
    scale, exponent, floor = fitted
    law = (scale * examples**-exponent + floor).clip(0, 1)
    other_seeds = generator.normal(law, seed_spread, (n_replicates, len(law))).clip(0, 1)
    shares = generator.binomial(counts, other_seeds) / counts
    fits = [_fit(examples, own, weights) for own in shares]
    replicates, deviances = (np.array(column) for column in zip(*fits, strict=True))
    falling = _falls(replicates.T)
    if falling.mean() < ENDS[1]:
        return None
    replicates, deviances = replicates[falling], deviances[falling]
    return PowerLaw(fitted, replicates, float((deviances >= deviance).mean()))


def _error(parameters: Float[ndarray, "3 ..."], examples: float) -> Float[ndarray, "..."]:
    scale, exponent, floor = parameters
    return np.asarray(scale * examples**-exponent + floor)


def _examples(parameters: Float[ndarray, "3 ..."], error: float) -> Float[ndarray, "..."]:
    scale, exponent, floor = parameters
    with np.errstate(over="ignore"):
        reached = (scale / np.maximum(error - floor, _TINY)) ** (1 / exponent)
    return np.where(floor < error, reached, np.inf)


def _falls(parameters: Float[ndarray, "3 ..."]) -> Bool[ndarray, "..."]:
    scale, exponent, _ = parameters
    return np.asarray((scale > 0) & (exponent < EXPONENTS[1]))


def _estimate(value: ndarray | np.floating, replicates: Float[ndarray, " r"]) -> Estimate:
    """From the 2.5th to the 97.5th percentile of the replicates."""
    # Between two replicates there may be an infinite one: take one of them, the outer.
    low = np.quantile(replicates, ENDS[0], method="lower")
    high = np.quantile(replicates, ENDS[1], method="higher")
    return Estimate(float(value), float(low), float(high))


def _fit(
    examples: Int[ndarray, " p"], shares: Float[ndarray, " p"], counts: Float[ndarray, " p"]
) -> tuple[Float[ndarray, "3"], float]:
    """Scale, exponent and floor, NaN where none is found, and the deviance.

    The optimiser sees numbers of the order of one: the error in units of its mean over the
    points, and the examples in units of theirs.
    """
    middle = np.exp(np.log(examples).mean())
    log_ratios = np.log(examples / middle)
    unit = max(float(shares.mean()), _TINY)

    found = minimize(
        _half_deviance,
        _START,
        args=(log_ratios, shares, counts, unit),
        jac=True,
        method="L-BFGS-B",
        bounds=[(-30, 30), EXPONENTS, (0, None)],
        options=_PRECISE,
    )
    if found.status == _OUT_OF_STEPS:  # any other end is a minimum, up to rounding
        return np.full(3, np.nan), np.nan
    log_scale, exponent, floor = found.x
    parameters = np.array([unit * np.exp(log_scale) * middle**exponent, exponent, unit * floor])
    return parameters, 2 * counts.sum() * unit * found.fun


def _half_deviance(
    parameters: Float[ndarray, "3"],
    log_ratios: Float[ndarray, " p"],
    shares: Float[ndarray, " p"],
    counts: Float[ndarray, " p"],
    unit: float,
) -> tuple[float, Float[ndarray, "3"]]:
    """Minus the log-likelihood, up to a constant and a factor, and its derivatives."""
    log_scale, exponent, floor = parameters
    total = counts.sum() * unit
    falling = unit * np.exp(log_scale - exponent * log_ratios)
    law = falling + unit * floor
    slope = np.where((law > _TINY) & (law < 1 - _TINY), counts / total, 0)
    law = law.clip(_TINY, 1 - _TINY)
    slope = slope * (law - shares) / (law * (1 - law))
    entropies = xlogy(shares, shares / law) + xlogy(1 - shares, (1 - shares) / (1 - law))
    derivatives = [
        (slope * falling).sum(),
        -(slope * falling * log_ratios).sum(),
        (slope * unit).sum(),
    ]
    return float((counts * entropies).sum() / total), np.array(derivatives)
