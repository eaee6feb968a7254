"""Test-time augmentation: an image is classified by many of its views."""

from collections.abc import Sequence

import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.quasirandom import SobolEngine

from mnistpipe.networks.models import Classifier
from mnistpipe.scoring.scores import BATCH_SIZE, Predictions, predict, to_pixels, vote
from mnistpipe.training.recipe import View
from mnistpipe.training.views import count_draws, make_views


def predict_by_views(
    network: Classifier, images: UInt8[Tensor, "n 28 28"], views: Sequence[View], n_draws: int
) -> Predictions:
    """The mean of the network's probabilities over each image's views, as log-probabilities.

    Every image is seen in the same views: those of a Sobol sequence, which covers the ranges of the
    views' random numbers evenly. The same network answers each time, so that nothing is trained.

    Args:
        network: on the images' device.
        images: grey levels 0..255.
        views: as in training.
        n_draws: how often the views are drawn, at least once; views that take no random numbers
            are seen once.

    """
    n_numbers = count_draws(views)
    draws = torch.empty(1, 0)
    if n_numbers > 0:
        sequence = SobolEngine(n_numbers, scramble=True, seed=0)  # type: ignore[no-untyped-call]
        draws = sequence.draw(n_draws)
    answers = []
    for part in torch.split(images, BATCH_SIZE):  # all at once would take much memory
        pixels = to_pixels(part)
        seen = [
            view
            for draw in draws.to(images.device)
            for view in make_views(pixels, views, draw.expand(len(part), -1)).chunk(len(views))
        ]
        answers.append(vote([predict(network, view) for view in seen]).logits)
    return Predictions(torch.cat(answers))
