"""What perturbed test images make of each network's accuracy, and what augmentation changes."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from jaxtyping import Int64
from numpy import ndarray

from mnistpipe.robustness.params import Perturbation
from mnistpipe.scoring.significance import compare_predictions
from mnistpipe.training.plan import PAIRS

UNITS: dict[Perturbation, str] = {"blur": "passes", "rotation": "degrees"}
Condition = tuple[Perturbation, int]  # and its strength, in the unit above
Predicted = Mapping[Condition, Mapping[str, Int64[ndarray, " n"]]]  # by condition and stage
Leaf = TypeVar("Leaf")


@dataclass(frozen=True)
class Measurement:
    """One network on the test images under one condition.

    Attributes:
        stage: that trained the network.
        network: `convnet` or `net`.
        perturbation: `blur` or `rotation`.
        strength: passes of the kernel, or degrees; 0 is the untouched test set.
        test_error: share of the images that are classified wrongly.
        errors: their number.
        count: number of images.

    """

    stage: str
    network: str
    perturbation: Perturbation
    strength: int
    test_error: float
    errors: int
    count: int


def count_errors(
    labels: Int64[ndarray, " n"], predicted: Predicted, networks: Mapping[str, str]
) -> list[Measurement]:
    """One for each of the stages in `networks` under each condition."""
    measurements = []
    for stage, network in networks.items():
        for (perturbation, strength), classes in predicted.items():
            errors, count = int((classes[stage] != labels).sum()), len(labels)
            share = errors / count
            measurements.append(
                Measurement(stage, network, perturbation, strength, share, errors, count)
            )
    return measurements


def nest_accuracies(measurements: Iterable[Measurement]) -> dict[str, dict[str, dict[str, float]]]:
    """By stage, perturbation and strength, in words: `blur`, `passes-2`."""
    stages: dict[str, dict[Condition, float]] = {}
    for measurement in measurements:
        condition = (measurement.perturbation, measurement.strength)
        accuracy = (measurement.count - measurement.errors) / measurement.count
        stages.setdefault(measurement.stage, {})[condition] = accuracy
    return {stage: _nest(accuracies) for stage, accuracies in stages.items()}


def compare_pairs(
    labels: Int64[ndarray, " n"], predicted: Predicted
) -> dict[str, dict[str, dict[str, dict[str, Any]]]]:
    """What augmentation changes, image by image: by network, perturbation and strength.

    The innermost are the fields of a `significance.Difference`.
    """
    return {
        network: _nest(
            {
                condition: asdict(compare_predictions(labels, classes[without], classes[with_it]))
                for condition, classes in predicted.items()
            }
        )
        for network, (without, with_it) in PAIRS.items()
    }


def _nest(leaves: Mapping[Condition, Leaf]) -> dict[str, dict[str, Leaf]]:
    nested: dict[str, dict[str, Leaf]] = {}
    for (perturbation, strength), leaf in leaves.items():
        nested.setdefault(perturbation, {})[f"{UNITS[perturbation]}-{strength}"] = leaf
    return nested
