"""How sure a number is: intervals for a share of the images, and tests of the difference of two."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Literal

import numpy as np
from jaxtyping import Bool, Int64, Shaped
from numpy import ndarray
from scipy.stats import binom, fisher_exact, norm, t, ttest_ind_from_stats, ttest_rel

LEVEL = 0.05  # below this p-value, over images and over seeds, a difference is called one
ENDS = (LEVEL / 2, 1 - LEVEL / 2)  # of a 95 % interval, among the quantiles

Verdict = Literal["better", "worse", "within noise"]


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """Two recipes, each with the networks of its seeds, on the same images.

    Attributes:
        fixed: images that only the second gets right. Where there are several networks, an image
            counts by as much as the share of those that get it right has grown.
        broken: images that only the first gets right, likewise.
        p_value: over images: how often chance alone, swapping the two on each image by a fair
            coin, would set them at least as far apart. It holds for these networks alone.
        seeds_p_value: over seeds: how often networks that differ by their seeds alone would be at
            least as far apart. It holds for these images alone. None where each has one seed.

    """

    fixed: float
    broken: float
    p_value: float
    seeds_p_value: float | None = None

    @property
    def verdict(self) -> Verdict:
        """What the second is, compared with the first."""
        return _verdict(self.p_value, self.seeds_p_value, gains=self.fixed > self.broken)


@dataclass(frozen=True)
class CountDifference:
    """Two recipes of which no more is known than how many images their networks get wrong.

    Attributes:
        first_errors: of the first, the mean over its seeds in whole images.
        second_errors: of the second, on as many images.
        p_value: of Fisher's exact test: how often chance alone, dealing all these errors out to
            the two, would divide them at least as unevenly.
        seeds_p_value: as in `Difference`.

    """

    first_errors: int
    second_errors: int
    p_value: float
    seeds_p_value: float | None = None

    @property
    def verdict(self) -> Verdict:
        """What the second is, compared with the first."""
        return _verdict(
            self.p_value, self.seeds_p_value, gains=self.first_errors > self.second_errors
        )


def compare_predictions(
    labels: Shaped[ndarray, " n"],
    first: Shaped[ndarray, "*first n"],
    second: Shaped[ndarray, "*second n"],
) -> Difference:
    """Compare image by image, of classes by number or name, a row for each seed's network.

    The test over images is an exact permutation test of paired differences. With a network each it
    is McNemar's (Psychometrika 12, 1947); with several, an image counts by how much the share that
    gets it right differs.
    """
    first_right: Bool[ndarray, "k n"] = np.atleast_2d(first) == labels
    second_right: Bool[ndarray, "m n"] = np.atleast_2d(second) == labels
    n_first, n_second = len(first_right), len(second_right)
    whole = math.lcm(n_first, n_second)  # one image, in the unit in which all gains are integers
    gains = second_right.sum(axis=0) * (whole // n_second)
    gains -= first_right.sum(axis=0) * (whole // n_first)
    return Difference(
        fixed=float(gains[gains > 0].sum() / whole),
        broken=float(-gains[gains < 0].sum() / whole),
        p_value=_swap_p_value(gains),
        seeds_p_value=_compare_seeds(
            (~first_right).sum(axis=1).tolist(), (~second_right).sum(axis=1).tolist()
        ),
    )


def compare_counts(first: Sequence[int], second: Sequence[int], count: int) -> CountDifference:
    """Fisher's exact test (Journal of the Royal Statistical Society 98, 1935), two-sided.

    For errors on `count` images each, one number a seed, where the predictions of one of the two
    are not known. The test takes the images for different ones. Where they are the same, as in
    MNIST's test set, both tend to fail on the same ones, so that counts differ less by chance than
    it allows for: it is conservative, and `compare_predictions` would see smaller differences.

    It tests the means over seeds, rounded to whole images.
    """
    before, after = round(fmean(first)), round(fmean(second))
    table = [[before, count - before], [after, count - after]]
    p_value = float(fisher_exact(table).pvalue)
    return CountDifference(before, after, p_value, _compare_seeds(first, second))


def compare_pairs(first: Sequence[int], second: Sequence[int]) -> float | None:
    """Over seeds, the same ones in the same order on both sides: the paired t-test's p-value.

    None for one seed, and where all pairs differ by the same number.
    """
    if len({after - before for before, after in zip(first, second, strict=True)}) <= 1:
        return None
    return float(ttest_rel(first, second).pvalue)


def one_more_interval(errors: Sequence[int], count: int) -> tuple[float, float] | None:
    """The 95 % prediction interval of one more seed's accuracy on the same images.

    From the errors of each seed, as if they were normally distributed; None for one seed.
    """
    if len(errors) == 1:
        return None
    n_seeds, middle = len(errors), fmean(errors)
    half = float(t.ppf(ENDS[1], n_seeds - 1)) * _spread(errors) * math.sqrt(1 + 1 / n_seeds)
    return max(0.0, 1 - (middle + half) / count), min(1.0, 1 - (middle - half) / count)


def wilson_interval(part: int | float, count: int) -> tuple[float, float]:  # noqa: PYI041 (checked)
    """The 95 % interval of the share `part / count`, from the number of images alone.

    Wilson's score interval (JASA 22, 1927). It says nothing about other seeds; `part` may be their
    mean.
    """
    z = float(norm.ppf(ENDS[1]))
    share = part / count
    middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z * math.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    half /= 1 + z**2 / count
    # At its ends rounding would leave a trace.
    return 0.0 if part == 0 else middle - half, 1.0 if part == count else middle + half


def _swap_p_value(gains: Int64[ndarray, " n"]) -> float:
    """How far from 0 the sum would be if each of these numbers had its sign by a fair coin."""
    sizes, counts = np.unique(np.abs(gains[gains != 0]), return_counts=True)
    chances = np.ones(1)  # of each sum of the positive ones, counted from 0
    for size, count in zip(sizes, counts, strict=True):
        step = np.zeros(size * count + 1)
        step[::size] = binom.pmf(np.arange(count + 1), count, 0.5)
        chances = np.convolve(chances, step)
    sums = 2 * np.arange(len(chances)) - (len(chances) - 1)
    return min(1.0, float(chances[np.abs(sums) >= abs(gains.sum())].sum()))


def _compare_seeds(first: Sequence[int], second: Sequence[int]) -> float | None:
    """Of errors by seed: Welch's t-test (Biometrika 34, 1947), two-sided.

    If one side has one seed, Student's: whether it is one more of the other side's, which is
    all that can be asked of it.
    """
    if len(first) == len(second) == 1:
        return None
    means_spreads_and_sizes = [
        number for side in (first, second) for number in (fmean(side), _spread(side), len(side))
    ]
    alone = 1 in {len(first), len(second)}
    return float(ttest_ind_from_stats(*means_spreads_and_sizes, equal_var=alone).pvalue)


def _spread(errors: Sequence[int]) -> float:
    """Standard deviation over seeds; at least that of a rounding to whole images."""
    return max(stdev(errors), 12**-0.5) if len(errors) > 1 else 0.0


def _verdict(p_value: float, seeds_p_value: float | None, *, gains: bool) -> Verdict:
    if p_value >= LEVEL or (seeds_p_value is not None and seeds_p_value >= LEVEL):
        return "within noise"
    return "better" if gains else "worse"
