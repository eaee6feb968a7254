"""Is a network as sure as it is right? Calibration, and risk against coverage.

A network's confidence in an answer is the probability that it gives to the class that it says.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float, Int64
from numpy import ndarray

from mnistpipe.scoring.probabilities import softmax
from mnistpipe.scoring.significance import ENDS, LEVEL, Estimate, wilson_interval

LEAST_COVERAGE = 0.1  # that is shown: of fewer answers, a risk says nothing
# Of the tables; `low` and `high` are the ends of Wilson's 95 % interval of the share before them.
RELIABILITY_COLUMNS = {
    "confidence": "float64",
    "accuracy": "float64",
    "low": "float64",
    "high": "float64",
    "right": "int64",
    "answers": "int64",
}
RISK_COLUMNS = {
    "coverage": "float64",
    "risk": "float64",
    "low": "float64",
    "high": "float64",
    "errors": "int64",
    "answers": "int64",
}


@dataclass(frozen=True)
class Answers:
    """What a network says of each image of a set.

    Attributes:
        predicted: the most probable class.
        confidence: its probability.
        right: whether it is the label.

    """

    predicted: Int64[ndarray, " n"]
    confidence: Float[ndarray, " n"]
    right: Bool[ndarray, " n"]


@dataclass(frozen=True)
class Calibration:
    """How confidence and accuracy go together over a set.

    Attributes:
        gap: mean confidence minus accuracy: above 0 the network is overconfident.
        error: the expected calibration error.
        by_chance: which error a perfectly calibrated network, as confident as this one, stays below
            on 95 % of such sets.

    """

    gap: Estimate
    error: Estimate
    by_chance: float


@dataclass(frozen=True)
class Reliability:
    """The answers by confidence: those of a bin have confidences between two neighbouring edges.

    Attributes:
        confidence: mean of each bin; NaN where there is no answer.
        right: number of right answers.
        count: number of answers.

    """

    confidence: Float[ndarray, " b"]
    right: Int64[ndarray, " b"]
    count: Int64[ndarray, " b"]


@dataclass(frozen=True)
class RiskCoverage:
    """What a threshold on the confidence lets through, from the strictest one to none.

    Attributes:
        answers: how many are at least as confident as the threshold.
        errors: how many of these are wrong.
        total: number of all answers.

    """

    answers: Int64[ndarray, " t"]
    errors: Int64[ndarray, " t"]
    total: int

    def at(self, coverage: float) -> tuple[int, int]:
        """Errors and answers under the strictest threshold that lets this share through."""
        place = int(np.searchsorted(self.answers, coverage * self.total - 1e-9))
        return int(self.errors[place]), int(self.answers[place])


def read_answers(logits: Float[ndarray, "n c"], labels: Int64[ndarray, " n"]) -> Answers:
    """From a network's logits."""
    probabilities = softmax(logits)
    predicted = logits.argmax(axis=1)
    return Answers(predicted, probabilities.max(axis=1), predicted == labels)


def calibrate(answers: Answers, bins: int, replicates: int, seed: int) -> Calibration:
    """The expected calibration error (Naeini et al. 2015, Guo et al. 2017), with its interval.

    The answers are sorted into bins of equal width by their confidence; the error is the mean of
    the bins' distances between mean confidence and accuracy, weighted by their answers.

    Chance alone takes that mean above 0, and a sample drawn from the answers further still, so that
    the bootstrap's percentiles would often lie above the error itself. The interval is the basic
    one, which mirrors them; and it begins at 0 where the error is not above `by_chance`, that is
    where perfect calibration cannot be ruled out (Bröcker and Smith 2007). It never ends below the
    error, as the mirrored percentiles of a few networks by chance do.
    """
    places = _bins_of(answers.confidence, bins)
    gaps = answers.confidence - answers.right
    generator = np.random.default_rng(seed)
    count = len(gaps)
    errors, means, perfect = np.empty((3, replicates))
    for number in range(replicates):
        drawn = generator.integers(count, size=count)
        errors[number] = _mean_distance(gaps[drawn], places[drawn])
        means[number] = gaps[drawn].mean()
        right = generator.random(count) < answers.confidence
        perfect[number] = _mean_distance(answers.confidence - right, places)
    error = _mean_distance(gaps, places)
    by_chance = float(np.quantile(perfect, 1 - LEVEL))
    low, high = (max(2 * error - float(end), 0) for end in np.quantile(errors, ENDS)[::-1])
    return Calibration(
        gap=Estimate(float(gaps.mean()), *map(float, np.quantile(means, ENDS))),
        error=Estimate(error, low if error > by_chance else 0.0, max(high, error)),
        by_chance=by_chance,
    )


def reliability(answers: Answers, bins: int) -> Reliability:
    """What a reliability diagram shows."""
    places = _bins_of(answers.confidence, bins)
    count = np.bincount(places, minlength=bins)
    right = np.bincount(places[answers.right], minlength=bins)
    total = np.bincount(places, answers.confidence, minlength=bins)
    mean = np.divide(total, count, out=np.full(bins, np.nan), where=count > 0)
    return Reliability(mean, right, count)


def risk_coverage(answers: Answers) -> RiskCoverage:
    """Risk against coverage (El-Yaniv and Wiener 2010); no threshold parts equal confidences."""
    order = np.argsort(-answers.confidence, kind="stable")
    last = np.flatnonzero(np.diff(answers.confidence[order], append=-1.0))  # of equal ones
    errors = np.cumsum(~answers.right[order])
    return RiskCoverage(last + 1, errors[last], len(order))


def tabulate_reliability(bins: Reliability) -> pd.DataFrame:
    """A row for each bin that has answers, with `RELIABILITY_COLUMNS`."""
    columns = (bins.confidence.tolist(), bins.right.tolist(), bins.count.tolist())
    rows = [
        (confidence, right / count, *wilson_interval(right, count), right, count)
        for confidence, right, count in zip(*columns, strict=True)
        if count
    ]
    return pd.DataFrame(rows, columns=[*RELIABILITY_COLUMNS])


def tabulate_risks(curve: RiskCoverage) -> pd.DataFrame:
    """A row for each coverage in whole per cent, with `RISK_COLUMNS`; the smallest one first.

    As no threshold parts equal confidences, a row may let more answers through than that, and stand
    for several per cents.
    """
    through = dict.fromkeys(curve.at(percent / 100) for percent in range(1, 101))
    rows = [
        (count / curve.total, errors / count, *wilson_interval(errors, count), errors, count)
        for errors, count in through
    ]
    return pd.DataFrame(rows, columns=[*RISK_COLUMNS])


def _bins_of(confidence: Float[ndarray, " n"], bins: int) -> Int64[ndarray, " n"]:
    """The numbers of the bins of equal width from 0 to 1."""
    places: Int64[ndarray, " n"] = np.minimum(confidence * bins, bins - 1).astype(np.int64)
    return places


def _mean_distance(gaps: Float[ndarray, " n"], places: Int64[ndarray, " n"]) -> float:
    return float(np.abs(np.bincount(places, gaps)).sum() / len(gaps))
