"""How sure a number is: intervals for an accuracy, and a test of the difference of two."""

import math
from dataclasses import dataclass
from typing import Literal

from jaxtyping import Bool, Int64
from numpy import ndarray
from scipy.stats import binomtest, norm

LEVEL = 0.05  # below this p-value a difference is called one


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
    def verdict(self) -> Literal["better", "worse", "within noise"]:
        """What the second is, compared with the first."""
        if self.p_value >= LEVEL:
            return "within noise"
        return "better" if self.fixed > self.broken else "worse"


def compare_predictions(
    labels: Int64[ndarray, " n"], first: Int64[ndarray, " n"], second: Int64[ndarray, " n"]
) -> Difference:
    """McNemar's test (Psychometrika 12, 1947) in its exact form."""
    first_right: Bool[ndarray, " n"] = first == labels
    second_right: Bool[ndarray, " n"] = second == labels
    fixed = int((~first_right & second_right).sum())
    broken = int((first_right & ~second_right).sum())
    p_value = float(binomtest(fixed, fixed + broken).pvalue) if fixed + broken else 1.0
    return Difference(fixed, broken, p_value)


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
