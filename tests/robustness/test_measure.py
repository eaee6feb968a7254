from typing import Any

import numpy as np
from numpy import ndarray

from mnistpipe.robustness.measure import (
    Condition,
    Measurement,
    compare_pairs,
    count_errors,
    nest_accuracies,
)
from mnistpipe.training.plan import PAIRS, TRAIN_STAGES

LABELS = np.arange(10)
NETWORKS = {stage: network for network, pair in PAIRS.items() for stage in pair}


def with_errors(*places: int) -> ndarray:
    """Predictions that are wrong at these places."""
    predicted = LABELS.copy()
    predicted[list(places)] = (predicted[list(places)] + 1) % 10
    return predicted


def predictions() -> dict[Condition, dict[str, ndarray]]:
    """All right but for ConvNet's runs, which differ when images are blurred or turned."""
    right = dict.fromkeys(TRAIN_STAGES, with_errors())
    blurred = {"train-convnet": with_errors(0, 1, 2, 3), "train-augmented": with_errors(3, 4)}
    turned = {"train-convnet": with_errors(5), "train-augmented": with_errors(6)}
    return {
        ("blur", 0): right,
        ("blur", 2): right | blurred,
        ("rotation", 0): right,
        ("rotation", 15): right | turned,
    }


def test_each_network_has_a_trial_under_each_condition() -> None:
    measurements = count_errors(LABELS, predictions(), NETWORKS)
    assert len(measurements) == 4 * 4
    assert measurements[:4] == [
        Measurement("train-convnet", "convnet", "blur", 0, 0.0, 0, 10),
        Measurement("train-convnet", "convnet", "blur", 2, 0.4, 4, 10),
        Measurement("train-convnet", "convnet", "rotation", 0, 0.0, 0, 10),
        Measurement("train-convnet", "convnet", "rotation", 15, 0.1, 1, 10),
    ]
    assert measurements[5] == Measurement("train-augmented", "convnet", "blur", 2, 0.2, 2, 10)
    assert measurements[-1] == Measurement("train-net-augmented", "net", "rotation", 15, 0.0, 0, 10)


def test_accuracies_are_nested_under_words() -> None:
    nested = nest_accuracies(count_errors(LABELS, predictions(), NETWORKS))
    assert list(nested) == [*TRAIN_STAGES]
    assert nested["train-convnet"] == {
        "blur": {"passes-0": 1.0, "passes-2": 0.6},
        "rotation": {"degrees-0": 1.0, "degrees-15": 0.9},
    }


def test_pairs_are_compared_image_by_image() -> None:
    compared = compare_pairs(LABELS, predictions())
    assert list(compared) == ["convnet", "net"]

    def difference(fixed: int, broken: int, p_value: float) -> dict[str, Any]:
        one_seed = {"seeds_p_value": None}
        return {"fixed": fixed, "broken": broken, "p_value": p_value} | one_seed

    same = difference(0, 0, 1.0)
    assert compared["convnet"] == {
        "blur": {"passes-0": same, "passes-2": difference(3, 1, 0.625)},
        "rotation": {"degrees-0": same, "degrees-15": difference(1, 1, 1.0)},
    }
    assert compared["net"]["rotation"] == {"degrees-0": same, "degrees-15": same}
