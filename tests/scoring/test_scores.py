import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from jaxtyping import config

from mnistpipe.networks.models import Net
from mnistpipe.scoring.scores import (
    Examples,
    Predictions,
    Score,
    average,
    normalise,
    predict,
    predict_arrays,
    score,
    to_pixels,
    vote,
)


def test_score_counts_over_the_whole_set() -> None:
    logits = torch.log(torch.tensor([[0.7] + [0.3 / 9] * 9, [0.7] + [0.3 / 9] * 9]))
    result = score(logits, torch.tensor([0, 1]))
    assert (result.errors, result.count, result.accuracy) == (1, 2, 0.5)
    assert result.loss == pytest.approx(-(math.log(0.7) + math.log(0.3 / 9)) / 2)


def test_a_committee_has_the_mean_of_its_members_probabilities() -> None:
    first = torch.tensor([[0.9, 0.1, 0.0], [0.4, 0.35, 0.25]], dtype=torch.float64)
    second = torch.tensor([[0.3, 0.7, 0.0], [0.1, 0.45, 0.45]], dtype=torch.float64)
    # Logits may be moved: 100 in one member gives it no more weight.
    committee = vote([Predictions(first.log() + 100), Predictions(second.log())])
    mean = torch.tensor([[0.6, 0.4, 0.0], [0.25, 0.4, 0.35]], dtype=torch.float64)
    torch.testing.assert_close(committee.logits.exp(), mean)
    assert committee.labels.tolist() == [0, 1]
    loss = score(committee.logits, torch.tensor([0, 2])).loss
    assert loss == pytest.approx(-(math.log(0.6) + math.log(0.35)) / 2)


def test_a_committee_of_one_says_what_it_says() -> None:
    logits = torch.tensor([[1.0, -1000.0], [-1000.0, 1000.0]])  # beyond what exp() can hold
    committee = vote([Predictions(logits)])
    torch.testing.assert_close(committee.logits, logits.double().log_softmax(1))


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
    torch.testing.assert_close(network.eval()(normalise(pixels)), whole.logits.log_softmax(1))


def test_arrays_get_logits_and_the_features_that_they_come_from(examples: Examples) -> None:
    network, images = Net().eval(), examples.images.numpy()
    images.flags.writeable = False
    logits, features = predict_arrays(network, images)
    assert np.array_equal(logits, predict(network, examples.images).logits.numpy())
    torch.testing.assert_close(network.fc2(torch.from_numpy(features)), torch.from_numpy(logits))
    mirrored = predict_arrays(network, images[:, :, ::-1])[0]
    assert np.array_equal(mirrored, predict_arrays(network, images[:, :, ::-1].copy())[0])
    assert [each.shape for each in predict_arrays(network, images[:0])] == [(0, 10), (0, 96)]


@pytest.fixture
def _without_shape_checks() -> Iterator[None]:
    """As users import the library."""
    config.update("jaxtyping_disable", True)  # noqa: FBT003 (as it takes it)
    yield
    config.update("jaxtyping_disable", False)  # noqa: FBT003 (likewise)


@pytest.mark.usefixtures("_without_shape_checks")
@pytest.mark.parametrize(
    ("images", "told"),
    [
        (np.zeros((2, 27, 27), np.uint8), "uint8, (2, 27, 27), from 0 to 0"),
        (np.full((2, 28, 28), 255.0), "float64, (2, 28, 28), from 255 to 255"),
        (np.zeros((28, 28), np.uint8), "uint8, (28, 28), from 0 to 0"),
        (np.zeros((2, 1, 28, 28), np.uint8), "uint8, (2, 1, 28, 28), from 0 to 0"),
        (np.ones((2, 1, 28, 28), np.float32), "float32, (2, 1, 28, 28), from 1 to 1"),
        (np.zeros((0, 40, 40)), "float64, (0, 40, 40), from 0 to 0"),
    ],
)
def test_images_that_are_not_as_mnists_are_refused(images: np.ndarray, told: str) -> None:
    with pytest.raises(ValueError, match="Images should be") as caught:
        predict_arrays(Net(), images)
    assert str(caught.value) == (
        f"Images should be grey levels 0..255: uint8, (n, 28, 28); these are {told}."
    )


@pytest.mark.usefixtures("_without_shape_checks")
@pytest.mark.parametrize(
    ("images", "told"),
    [
        (torch.full((2, 1, 28, 28), 255.0), "float32, (2, 1, 28, 28), from 255 to 255"),
        (torch.full((2, 1, 28, 28), math.nan), "float32, (2, 1, 28, 28), from nan to nan"),
        (torch.full((2, 1, 28, 28), -0.4), "float32, (2, 1, 28, 28), from -0.4 to -0.4"),
        (torch.ones(2, 1, 28, 28, dtype=torch.float64), "float64, (2, 1, 28, 28), from 1 to 1"),
        (torch.zeros(2, 1, 20, 20), "float32, (2, 1, 20, 20), from 0 to 0"),
        (torch.zeros(2, 28, 28, dtype=torch.int64), "int64, (2, 28, 28), from 0 to 0"),
    ],
)
def test_pixels_are_between_zero_and_one(images: torch.Tensor, told: str) -> None:
    with pytest.raises(ValueError, match="or pixels") as caught:
        predict(Net(), images)
    assert str(caught.value).endswith(f"; these are {told}.")


@pytest.mark.usefixtures("_without_shape_checks")
def test_what_is_no_array_is_refused() -> None:
    with pytest.raises(TypeError, match="should be a NumPy array, not list"):
        predict_arrays(Net(), [[0] * 28] * 28)  # type: ignore[arg-type]


def test_a_network_that_fails_is_handed_back_in_its_mode(examples: Examples) -> None:
    network = Net().double()  # which does not take pixels of single precision
    with pytest.raises(RuntimeError):
        predict(network, examples.images)
    assert network.training


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
