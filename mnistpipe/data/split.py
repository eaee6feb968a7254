"""The stratified split, and the nested subsets of the training part."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64, UInt8
from numpy import ndarray

from mnistpipe.files.errors import UserError

SIDE = 28  # pixels along each edge of an image
N_CLASSES = 10


@dataclass(frozen=True)
class Labelled:
    """Images, grey levels 0..255, with their class numbers."""

    images: UInt8[ndarray, "n 28 28"]
    labels: Int64[ndarray, " n"]

    def __len__(self) -> int:
        """The number of images."""
        return len(self.labels)


@dataclass(frozen=True)
class Split:
    """The canonical arrays that everything after `prepare-split` reads.

    Attributes:
        title: the data set's name, as it stands in every product.
        train: what may be trained on.
        validation: scored after each epoch, never trained on.
        test: untouched by training and selection.
        train_indices: where `train` stood among the training images as they came.
        validation_indices: likewise for `validation`.

    """

    title: str
    train: Labelled
    validation: Labelled
    test: Labelled
    train_indices: Int64[ndarray, " n_train"]
    validation_indices: Int64[ndarray, " n_validation"]


def split_dataset(
    title: str, train: Labelled, test: Labelled, validation_fraction: float, seed: int
) -> Split:
    """Set a fraction of each class of `train` aside for validation; all keep their order.

    Raises UserError if a class would have no example left in one of the two parts.
    """
    labels = train.labels
    chosen = nested_subset(labels, validation_fraction, seed, "prepare-split.validation_fraction")
    rest = np.setdiff1d(np.arange(len(labels)), chosen, assume_unique=True)
    for class_number in np.unique(labels):
        if not np.any(labels[rest] == class_number):
            raise UserError(
                f"prepare-split.validation_fraction {validation_fraction} leaves no example of "
                f"class {class_number} for training; take a smaller fraction."
            )
    return Split(
        title=title,
        train=_take(train, rest),
        validation=_take(train, chosen),
        test=test,
        train_indices=rest,
        validation_indices=chosen,
    )


def nested_subset(
    labels: Int64[ndarray, " n"], fraction: float, seed: int, parameter: str
) -> Int64[ndarray, " k"]:
    """Indices of a stratified subset, in ascending order.

    Each class is shuffled once, by the seed alone, and the subset takes the first
    `round(fraction * class size)` of each: with the same seed a smaller fraction's subset lies
    inside a larger one's, and each class has its share to within half an example.

    Raises UserError, naming the parameter, if a class would have no example.
    """
    generator = np.random.default_rng(seed)
    parts = []
    for class_number in range(N_CLASSES):
        members = generator.permutation(np.flatnonzero(labels == class_number))
        n_taken = round(fraction * len(members))
        if n_taken == 0 and len(members) > 0:
            raise UserError(
                f"{parameter} {fraction} leaves no example of class {class_number}, which has "
                f"{len(members)}; take a larger fraction."
            )
        parts.append(members[:n_taken])
    return np.sort(np.concatenate(parts))


def subset(examples: Labelled, fraction: float, seed: int, parameter: str) -> Labelled:
    """The examples at the indices of `nested_subset`."""
    return _take(examples, nested_subset(examples.labels, fraction, seed, parameter))


def _take(examples: Labelled, indices: Int64[ndarray, " k"]) -> Labelled:
    return Labelled(examples.images[indices], examples.labels[indices])
