"""How sure a number is: intervals for an accuracy, and tests of the difference of two."""

import math
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Bool, Shaped
from numpy import ndarray
from scipy.stats import binomtest, fisher_exact, norm

LEVEL = 0.05  # below this p-value a difference is called one

Verdict = Literal["better", "worse", "within noise"]


@dataclass(frozen=True)
class Difference:
    """Two classifiers on the same images.

    Attributes:
        fixed: images that only the second gets right.
        broken: images that only the first gets right.
        p_value: of an exact McNemar test: how often chance alone, sorting these images with a
            fair coin, would divide them at least as unevenly.

    """

    fixed: int
    broken: int
    p_value: float

    @property
    def verdict(self) -> Verdict:
        """What the second is, compared with the first."""
        return _verdict(self.p_value, self.fixed, self.broken)


@dataclass(frozen=True)
class CountDifference:
    """Two classifiers of which no more is known than how many images each gets wrong.

    Attributes:
        first_errors: of the first.
        second_errors: of the second, on as many images.
        p_value: of Fisher's exact test: how often chance alone, dealing all these errors out to
            the two, would divide them at least as unevenly.

    """

    first_errors: int
    second_errors: int
    p_value: float

    @property
    def verdict(self) -> Verdict:
        """What the second is, compared with the first."""
        return _verdict(self.p_value, self.first_errors, self.second_errors)


def compare_predictions(
    labels: Shaped[ndarray, " n"], first: Shaped[ndarray, " n"], second: Shaped[ndarray, " n"]
) -> Difference:
    """McNemar's test (Psychometrika 12, 1947) in its exact form, of classes by number or name."""
    first_right: Bool[ndarray, " n"] = first == labels
    second_right: Bool[ndarray, " n"] = second == labels
    fixed = int((~first_right & second_right).sum())
    broken = int((first_right & ~second_right).sum())
    p_value = float(binomtest(fixed, fixed + broken).pvalue) if fixed + broken else 1.0
    return Difference(fixed, broken, p_value)


def compare_counts(
    first_errors: int | float,  # noqa: PYI041 (checked)
    second_errors: int | float,  # noqa: PYI041 (likewise)
    count: int,
) -> CountDifference:
    """Fisher's exact test (Journal of the Royal Statistical Society 98, 1935), two-sided.

    For errors on `count` images each, where the predictions of one of the two are not known. The
    test takes the images for different ones. Where they are the same, as in MNIST's test set, both
    tend to fail on the same ones, so that counts differ less by chance than it allows for: it is
    conservative, and `compare_predictions` would see smaller differences.

    Errors may be means over seeds, and are rounded to whole images. What other seeds change is
    not tested.
    """
    first, second = round(first_errors), round(second_errors)
    table = [[first, count - first], [second, count - second]]
    return CountDifference(first, second, float(fisher_exact(table).pvalue))


def wilson_interval(errors: int | float, count: int) -> tuple[float, float]:  # noqa: PYI041 (checked)
    """The 95 % interval of an accuracy, from the number of images alone.

    Wilson's score interval (JASA 22, 1927). It says nothing about other seeds; `errors` may be
    their mean.
    """
    z = float(norm.ppf(1 - LEVEL / 2))
    accuracy = 1 - errors / count
    middle = (accuracy + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * math.sqrt(accuracy * (1 - accuracy) / count + z**2 / (4 * count**2))
    half /= 1 + z**2 / count
    # At its ends rounding would leave a trace of an error, or of a right answer.
    return 0.0 if errors == count else middle - half, 1.0 if errors == 0 else middle + half


def _verdict(p_value: float, gains: int, losses: int) -> Verdict:
    if p_value >= LEVEL:
        return "within noise"
    return "better" if gains > losses else "worse"
