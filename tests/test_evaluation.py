import math

import pytest
import torch

from mnistpipe.evaluation import Examples, normalise, predict, score, to_pixels
from mnistpipe.models import Net


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
