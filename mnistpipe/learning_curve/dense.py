"""The error at many sizes of the training set: the law of the small ones, and what it predicts."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
import pandas as pd

from mnistpipe.learning_curve.points import describe_fit
from mnistpipe.learning_curve.power_law import PowerLaw, fit_power_law
from mnistpipe.scoring.significance import LEVEL, Estimate

# Of a table with a row for each network; errors are shares of the images.
COLUMNS = [
    "images",
    "seed",
    "examples",
    "updates",
    "training_error",
    "validation_error",
    "test_error",
    "test_images",
    "dataset",
]


@dataclass(frozen=True)
class Measured:
    """The networks of one size.

    Attributes:
        images: that were asked for.
        examples: that each was trained on.
        updates: how many steps of the optimiser that took.
        seed_errors: share of the test images that each classifies wrongly.
        test_images: how many these are.

    """

    images: int
    examples: int
    updates: int
    seed_errors: tuple[float, ...]
    test_images: int

    @property
    def error(self) -> float:
        """The mean over seeds."""
        return fmean(self.seed_errors)

    @property
    def seed_sd(self) -> float | None:
        """The standard deviation over seeds, where there are several."""
        return stdev(self.seed_errors) if len(self.seed_errors) > 1 else None


@dataclass(frozen=True)
class HeldOut:
    """A size that the law was not fitted to.

    Attributes:
        measured: its networks.
        predicted: the mean over seeds by the law, with its 95 % prediction interval.

    """

    measured: Measured
    predicted: Estimate

    @property
    def within_interval(self) -> bool:
        """Whether the mean over seeds lies in the interval."""
        return self.predicted.low <= self.measured.error <= self.predicted.high


@dataclass(frozen=True)
class Dense:
    """The curve with its law.

    Attributes:
        sizes: fewest images first.
        fit_up_to: the most images of a size that the law is fitted to.
        seed_spread: standard deviation between seeds as a share of the error, from those sizes.
        law: None if they tell none.
        held_out: the other sizes; empty without a law.

    """

    sizes: Sequence[Measured]
    fit_up_to: int
    seed_spread: float
    law: PowerLaw | None
    held_out: Sequence[HeldOut]


def gather_sizes(table: pd.DataFrame) -> list[Measured]:
    """The sizes of a table of networks, which has `COLUMNS`; fewest images first."""
    sizes = []
    for images, rows in table.groupby("images"):
        first = rows.iloc[0]
        sizes.append(
            Measured(
                images=int(str(images)),
                examples=int(first["examples"]),
                updates=int(first["updates"]),
                seed_errors=tuple(rows["test_error"].tolist()),
                test_images=int(first["test_images"]),
            )
        )
    return sizes


def fit_dense_curve(
    sizes: Sequence[Measured], fit_up_to: int, n_replicates: int, seed: int
) -> Dense:
    """Fit the law to the small sizes, and predict the others.

    Between seeds the error varies by a share of itself that is taken for the same at all sizes:
    few seeds of one size hardly tell it, and what was measured at the large sizes must have no say
    in what is predicted.

    Args:
        sizes: fewest images first.
        fit_up_to: the most images of a size that the law is fitted to.
        n_replicates: of the bootstrap.
        seed: of the bootstrap.

    """
    fitted = [size for size in sizes if size.images <= fit_up_to]
    spread = pool_spread(fitted)
    law = fit_power_law(
        np.array([size.examples for size in fitted], dtype=np.int64),
        np.array([size.error * size.test_images for size in fitted], dtype=np.float64),
        np.array([size.test_images for size in fitted], dtype=np.int64),
        np.array([size.error * _of_mean(spread, size) for size in fitted], dtype=np.float64),
        n_replicates,
        seed,
    )
    held_out = [
        HeldOut(
            size,
            law.measurement(float(size.examples), size.test_images, _of_mean(spread, size), seed),
        )
        for size in sizes
        if law is not None and size.images > fit_up_to
    ]
    return Dense(sizes, fit_up_to, spread, law, held_out)


def pool_spread(sizes: Sequence[Measured]) -> float:
    """The standard deviation between seeds as a share of the mean, over all sizes together.

    A size counts by its degrees of freedom; 0 if none has two seeds, and mistakes.
    """
    several = [size for size in sizes if size.seed_sd is not None and size.error > 0]
    freedom = [len(size.seed_errors) - 1 for size in several]
    shares = [((size.seed_sd or 0.0) / size.error) ** 2 for size in several]
    return float(np.average(shares, weights=freedom)) ** 0.5 if several else 0.0


def _of_mean(spread: float, size: Measured) -> float:
    """The standard error of the mean over a size's seeds, as a share of it."""
    return float(spread / len(size.seed_errors) ** 0.5)


def describe(dense: Dense) -> dict[str, Any]:
    """The curve as metrics; whether the law fits is told by its p-value."""
    held_out = {each.measured.images: each for each in dense.held_out}
    points: dict[str, dict[str, Any]] = {}
    for size in dense.sizes:
        points[f"images-{size.images}"] = {
            "examples": size.examples,
            "updates": size.updates,
            "seeds": len(size.seed_errors),
            "test_error": size.error,
            **({} if size.seed_sd is None else {"test_error_sd": size.seed_sd}),
        }
        if size.images in held_out:
            each = held_out[size.images]
            points[f"images-{size.images}"]["predicted"] = asdict(each.predicted) | {
                "within_interval": each.within_interval
            }
    fits = {} if dense.law is None else {"fits": dense.law.p_value >= LEVEL}
    return {
        "fit_up_to": dense.fit_up_to,
        "seed_spread": dense.seed_spread,
        "fit": describe_fit(dense.law) | fits,
        "points": points,
    }
