"""Score a network: predict once, then count."""

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from numpy import ndarray
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 (PyTorch's own convention)

from mnistpipe.data.split import SIDE, Labelled
from mnistpipe.networks.models import Classifier

# Mean and standard deviation of MNIST's training pixels, as in PyTorch's MNIST example.
PIXEL_MEAN, PIXEL_STD = 0.1307, 0.3081
GREY_LEVELS = f"grey levels 0..255: uint8, (n, {SIDE}, {SIDE})"
ROUNDING = 1e-4  # by which a blurred pixel may leave 0..1
BATCH_SIZE = 200  # of images that are scored; larger ones are no faster, and take more memory


@dataclass(frozen=True)
class Examples:
    """Images with their labels, wholly in memory on one device.

    Attributes:
        images: grey levels 0..255, (n, 28, 28).
        labels: class numbers, counted from 0, (n,).

    """

    images: UInt8[Tensor, "n 28 28"]
    labels: Int[Tensor, " n"]

    @classmethod
    def on(cls, device: torch.device, part: Labelled) -> "Examples":
        """A part of the split, copied to a device; on the processor it is shared."""
        images, labels = torch.from_numpy(part.images), torch.from_numpy(part.labels)
        return cls(images.to(device), labels.to(device))

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)


@dataclass(frozen=True)
class Predictions:
    """What a network says about each image of a set."""

    logits: Float[Tensor, "n c"]

    @property
    def labels(self) -> Int[Tensor, " n"]:
        """The most probable class of each image."""
        return self.logits.argmax(dim=1)


@dataclass(frozen=True)
class Score:
    """Loss and errors over a whole set.

    Attributes:
        accuracy: share of the images that are classified correctly.
        loss: mean negative log-likelihood per image, in nats.
        errors: number of images that are classified wrongly.
        count: number of images.

    """

    accuracy: float
    loss: float
    errors: int
    count: int


def to_pixels(images: UInt8[Tensor, "n 28 28"]) -> Float[Tensor, "n 1 28 28"]:
    """Grey levels 0..255 as a batch of one-channel images in 0..1."""
    return images.unsqueeze(1).float().div_(255)


def normalise(pixels: Float[Tensor, "n 1 28 28"]) -> Float[Tensor, "n 1 28 28"]:
    """Pixels in 0..1 as the networks take them."""
    return pixels.sub(PIXEL_MEAN).div_(PIXEL_STD)


def predict(
    network: Classifier,
    images: UInt8[Tensor, "n 28 28"] | Float[Tensor, "n 1 28 28"],
    batch_size: int = BATCH_SIZE,
) -> Predictions:
    """Run the network over all images, in order, in evaluation mode and single precision.

    The network is handed back in the mode in which it came.

    Args:
        network: on the images' device.
        images: grey levels 0..255, or pixels in 0..1.
        batch_size: images at a time; changes memory and speed, not the result.

    Raises:
        ValueError: if the images are anything else.

    """
    _check_images(images, f"{GREY_LEVELS}, or pixels 0..1: float32, (n, 1, {SIDE}, {SIDE})")
    with _evaluating(network):
        # Made beforehand: small tensors that stay, between large ones that go, cost 100 MB.
        logits = network.fc2.weight.new_empty(len(images), network.fc2.out_features)
        batches = _features(network, images, batch_size)
        for place, features in zip(torch.split(logits, batch_size), batches, strict=True):
            place.copy_(network.fc2(features))
        return Predictions(logits)


def predict_arrays(
    network: Classifier, images: UInt8[ndarray, "n 28 28"]
) -> tuple[Float[ndarray, "n c"], Float[ndarray, "n f"]]:
    """Logits and features of all images as arrays, computed on the processor.

    Args:
        network: on the processor.
        images: grey levels 0..255.

    Raises:
        TypeError: if they are no array.
        ValueError: if they are of another type or shape.

    """
    if not isinstance(images, np.ndarray):
        raise TypeError(f"Images should be a NumPy array, not {type(images).__name__}.")
    _check_images(images, GREY_LEVELS)
    own = torch.from_numpy(np.require(images, requirements=["C", "W"]))  # a copy where it has to be
    with _evaluating(network):
        features = list(_features(network, own, BATCH_SIZE))
        logits = [network.fc2(batch) for batch in features]
        return torch.cat(logits).numpy(), torch.cat(features).numpy()


def _check_images(images: ndarray | Tensor, wanted: str) -> None:
    kind, shape = str(images.dtype).removeprefix("torch."), tuple(images.shape)
    if kind == "uint8" and shape[1:] == (SIDE, SIDE):
        return
    low, high = (images.min(), images.max()) if 0 not in shape else (0, 0)
    between = low >= -ROUNDING and high <= 1 + ROUNDING  # false for NaN, too
    if wanted == GREY_LEVELS or kind != "float32" or shape[1:] != (1, SIDE, SIDE) or not between:
        raise ValueError(
            f"Images should be {wanted}; these are {kind}, {shape}, from {low:g} to {high:g}."
        )


@contextmanager
def _evaluating(network: Classifier) -> Iterator[None]:
    """In evaluation mode and without gradients; afterwards it is in the mode it was in."""
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(was_training)


def _features(network: Classifier, images: Tensor, batch_size: int) -> Iterator[Tensor]:
    """What enters the last layer, batch by batch."""
    for batch in torch.split(images, batch_size):
        pixels = batch if batch.is_floating_point() else to_pixels(batch)
        yield network.features(normalise(pixels))


def score(logits: Float[Tensor, "n c"], labels: Int[Tensor, " n"]) -> Score:
    """Count over the whole set; log-probabilities are logits, too.

    Raises ValueError for an empty set, which has no accuracy.
    """
    count = len(labels)
    if count == 0:
        raise ValueError("an empty set has no score")
    loss = F.cross_entropy(logits.double(), labels).item()
    errors = int((logits.argmax(dim=1) != labels).sum())
    return Score(accuracy=(count - errors) / count, loss=loss, errors=errors, count=count)


def vote(members: Sequence[Predictions]) -> Predictions:
    """A committee's: the mean of its members' probabilities, as log-probabilities (float64)."""
    each = torch.stack([F.log_softmax(member.logits.double(), dim=1) for member in members])
    return Predictions(each.logsumexp(dim=0) - math.log(len(members)))


def average(scores: Mapping[int, Score]) -> dict[str, Any]:
    """Means over the seeds, and with two or more the standard deviation of the accuracy.

    As a tree of plain numbers under words, which is what DVC compares: each seed's own score
    stands below `by_seed`, as `seed-1` and so on.
    """
    accuracies = [score.accuracy for score in scores.values()]
    errors = fmean(score.errors for score in scores.values())
    spread = {"accuracy_sd": stdev(accuracies)} if len(scores) > 1 else {}
    return {
        "accuracy": fmean(accuracies),
        **spread,
        "loss": fmean(score.loss for score in scores.values()),
        "errors": int(errors) if errors.is_integer() else errors,
        "count": next(iter(scores.values())).count,
        "by_seed": {
            f"seed-{seed}": {"accuracy": own.accuracy, "loss": own.loss, "errors": own.errors}
            for seed, own in scores.items()
        },
    }
