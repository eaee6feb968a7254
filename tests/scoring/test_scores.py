import math

import pytest
import torch

from mnistpipe.networks.models import Net
from mnistpipe.scoring.scores import (
    Examples,
    Score,
    average,
    normalise,
    predict,
    score,
    to_pixels,
)


def test_score_counts_over_the_whole_set() -> None:
    logits = torch.log(torch.tensor([[0.7] + [0.3 / 9] * 9, [0.7] + [0.3 / 9] * 9]))
    result = score(logits, torch.tensor([0, 1]))
    assert (result.errors, result.count, result.accuracy) == (1, 2, 0.5)
    assert result.loss == pytest.approx(-(math.log(0.7) + math.log(0.3 / 9)) / 2)


def test_an_empty_set_has_no_score() -> None:
    with pytest.raises(ValueError, match="empty"):
        score(torch.zeros(0, 10), torch.zeros(0, dtype=torch.int64))


def test_normalised_pixels_have_mnists_mean_at_zero() -> None:
    pixels = to_pixels(torch.full((1, 28, 28), 255, dtype=torch.uint8))
    assert torch.equal(pixels, torch.ones(1, 1, 28, 28))
    torch.testing.assert_close(normalise(pixels)[0, 0, 0, 0].item(), (1 - 0.1307) / 0.3081)


def test_prediction_is_deterministic_whatever_the_batch_and_leaves_the_mode(
    examples: Examples,
) -> None:
    network = Net()  # in training mode, as after an epoch
    pixels = to_pixels(examples.images)
    whole, pieces = predict(network, pixels, 40), predict(network, pixels, 7)
    assert network.training
    torch.testing.assert_close(whole.logits, pieces.logits)
    assert torch.equal(whole.labels, whole.logits.argmax(dim=1))
    torch.testing.assert_close(network.fc2(whole.features.clone()), whole.logits.clone())


def test_seeds_are_averaged_beside_their_own_scores() -> None:
    scores = {1: Score(0.9, 0.3, 10, 100), 7: Score(0.8, 0.5, 20, 100), 3: Score(0.7, 0.4, 30, 100)}
    averaged = average(scores)
    assert averaged == {
        "accuracy": pytest.approx(0.8),
        "accuracy_sd": pytest.approx(0.1),  # of a sample: divided by two, not by three
        "loss": pytest.approx(0.4),
        "errors": 20,
        "count": 100,
        "by_seed": {
            "seed-1": {"accuracy": 0.9, "loss": 0.3, "errors": 10},
            "seed-7": {"accuracy": 0.8, "loss": 0.5, "errors": 20},
            "seed-3": {"accuracy": 0.7, "loss": 0.4, "errors": 30},
        },
    }
    assert list(averaged["by_seed"]) == ["seed-1", "seed-7", "seed-3"]


def test_one_seed_is_its_own_mean_without_a_deviation() -> None:
    assert average({1: Score(0.9, 0.3, 10, 100)}) == {
        "accuracy": 0.9,
        "loss": 0.3,
        "errors": 10,
        "count": 100,
        "by_seed": {"seed-1": {"accuracy": 0.9, "loss": 0.3, "errors": 10}},
    }


@pytest.mark.parametrize(("second", "mean"), [(20, "15"), (21, "15.5")])
def test_a_whole_number_of_errors_is_written_as_one(second: int, mean: str) -> None:
    scores = {1: Score(0.9, 0.3, 10, 100), 2: Score(1 - second / 100, 0.3, second, 100)}
    assert repr(average(scores)["errors"]) == mean
