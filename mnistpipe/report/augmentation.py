"""What augmentation is good for: accuracies on perturbed test images, and who is robust."""

from collections.abc import Mapping
from dataclasses import dataclass

from mnistpipe.report.summary import Metrics
from mnistpipe.scoring.significance import Difference
from mnistpipe.training.plan import PAIRS, TRAIN_STAGES


@dataclass(frozen=True)
class Condition:
    """What is done to the test images.

    Attributes:
        perturbation: `blur` or `rotation`.
        strength: passes of the kernel, or degrees.

    """

    perturbation: str
    strength: int


@dataclass(frozen=True)
class Accuracies:
    """One run's shares of the test images: untouched, and under each of the conditions."""

    stage: str
    untouched: float
    accuracies: list[float]


@dataclass(frozen=True)
class Perturbed:
    """The accuracies of all runs, with the conditions of their columns."""

    conditions: list[Condition]
    rows: list[Accuracies]


@dataclass(frozen=True)
class Fall:
    """What the strongest perturbation does to one run's accuracy."""

    stage: str
    untouched: float
    perturbed: float

    @property
    def lost(self) -> float:
        """How much accuracy, as a share of the images."""
        return self.untouched - self.perturbed


@dataclass(frozen=True)
class Robust:
    """Whether augmentation makes a network robust to a perturbation.

    Attributes:
        strongest: the perturbation at its greatest strength.
        without: what that does to the run without augmentation.
        with_it: what that does to the run with it.
        difference: between these two, on the same perturbed images.
        where: the strengths at which the run with it is significantly better, and leads by more
            images than on the untouched ones.
        is_everywhere: whether these are all strengths.

    """

    strongest: Condition
    without: Fall
    with_it: Fall
    difference: Difference
    where: list[Condition]
    is_everywhere: bool

    @property
    def saved(self) -> float | None:
        """Share of what the strongest costs that augmentation makes up for; None if nothing."""
        if self.strongest not in self.where or self.without.lost <= 0:
            return None
        return 1 - self.with_it.lost / self.without.lost


def read_condition(perturbation: str, key: str) -> Condition:
    """From its key in the metrics: `passes-2`, `degrees-15`."""
    return Condition(perturbation, int(key.rpartition("-")[2]))


def perturbed_accuracies(accuracies: Metrics) -> Perturbed:
    """From the summary's part about robustness: by stage, perturbation and strength."""
    columns = [
        (perturbation, key)
        for perturbation, row in accuracies[TRAIN_STAGES[0]].items()
        for key in list(row)[1:]  # after the untouched images
    ]
    rows = [
        Accuracies(
            stage,
            untouched=next(iter(run["blur"].values())),
            accuracies=[run[perturbation][key] for perturbation, key in columns],
        )
        for stage, run in accuracies.items()
    ]
    return Perturbed([read_condition(*column) for column in columns], rows)


def robust_by_pair(accuracies: Metrics, augmentation: Metrics) -> dict[str, dict[str, Robust]]:
    """By network and perturbation.

    Args:
        accuracies: the summary's part about robustness.
        augmentation: by network, perturbation and strength, what augmentation changes on the same
            images: the fields of a `Difference`.

    """
    return {
        network: {
            perturbation: _robust(
                perturbation,
                {stage: accuracies[stage][perturbation] for stage in pair},
                {key: Difference(**fields) for key, fields in by_strength.items()},
            )
            for perturbation, by_strength in augmentation[network].items()
        }
        for network, pair in PAIRS.items()
    }


def _robust(
    perturbation: str,
    runs: Mapping[str, Mapping[str, float]],
    differences: Mapping[str, Difference],
) -> Robust:
    """Accuracies by stage and strength, and differences by strength, from the untouched up."""
    untouched, *strengths = differences
    last = strengths[-1]
    gains = {key: difference.fixed - difference.broken for key, difference in differences.items()}
    where = [
        key
        for key in strengths
        if differences[key].verdict == "better" and gains[key] > gains[untouched]
    ]
    without, with_it = (Fall(stage, run[untouched], run[last]) for stage, run in runs.items())
    return Robust(
        strongest=read_condition(perturbation, last),
        without=without,
        with_it=with_it,
        difference=differences[last],
        where=[read_condition(perturbation, key) for key in where],
        is_everywhere=where == strengths,
    )
